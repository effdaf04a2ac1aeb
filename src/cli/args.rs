//! The commands and their options, with the help texts. What holds when an option is left out is decided in
//! [`super::settings`].
//!
//! There is no option for the token itself: a command line is visible to every user of the machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::endpoints::EndpointCommand;
use super::exit;
use super::listing::ListOptions;
use super::options::{Global, seconds};
use crate::deploy::{Compare, ExecutorChoice};
use crate::text::parse_size;

/// Deploy Django projects to PythonAnywhere with few requests.
///
/// Settings come from options, then from the environment (API_TOKEN, PYTHONANYWHERE_USERNAME, PYTHONANYWHERE_SITE,
/// PYTHONANYWHERE_DOMAIN, PYTHONANYWHERE_RATE_LIMIT, PYA_ENV), then from the table [tool.pythonanywhere] in
/// pyproject.toml. The API token can also come from pya login.
#[derive(Debug, Parser)]
#[command(name = "pya", version, after_help = exit::HELP)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring a project to a served page: web app, virtualenv, files, requirements, database
    Launch(Launch),
    /// Write the files that a project needs to be launched, without asking the service
    Init(Init),
    /// Launch a real Wagtail site on the emulator, change it, deploy it and undo that
    Demo(Demo),
    /// Emulate the service on this machine, for your tests
    Emulator(Emulator),
    /// Keep the account's API token on this machine, for later commands
    ///
    /// Asks for the user name and the token, which is not shown, and tries it: an account in the EU is found as well.
    /// The token goes into the system's keyring if one answers within 3 seconds, else into a file that nobody else can
    /// read. Only pya uses it, and only for this user at this host. Without a terminal, the token is a line of stdin.
    Login,
    /// Forget the API token that pya login kept
    Logout(Logout),
    /// Show which account commands work with, and where its API token comes from
    Whoami,
    /// Show the account, the web app and the last deploy in a few lines
    Status(Status),
    /// Open the site in a browser, and print its address
    Open(Open),
    /// Show what a deploy would change, without writing anything
    Diff(Diff),
    /// Upload what changed, and reload the web app
    Deploy(Deploy),
    /// Find out what is wrong with the project and its account, and which command mends it
    Doctor(Doctor),
    /// Install, check or remove the agent in a web app, which runs fast deploys and commands
    #[command(subcommand)]
    Agent(Agent),
    /// List or change a web app's environment variables, which may be passwords
    #[command(subcommand)]
    Env(Env),
    /// Run manage.py on the host, with the web app's Python
    Manage(Manage),
    /// Make a superuser of the site, who can log in to Django's admin
    ///
    /// Asks for what is not given. The password comes from DJANGO_SUPERUSER_PASSWORD or a question; it is in no command
    /// line, history or log, here or on the host.
    Createsuperuser(Createsuperuser),
    /// Run a command on the host, in a task or a console
    Run(Run),
    /// Compare the files on the host with what was deployed and with the local files
    Verify(Verify),
    /// Undo a deploy: restore the files as they were before it
    Rollback(Rollback),
    /// List the jobs that ran on the host
    History(History),
    /// Download files of the project from the host
    Pull(Pull),
    /// List a folder of the account
    Ls(Ls),
    /// Print a file of the account
    Cat(Cat),
    /// Download one file
    Get(Get),
    /// Upload one file
    Put(Put),
    /// Delete a file, or a folder with -r
    Rm(Rm),
    /// Reload a web app
    Reload(Reload),
    /// Print a web app's log, and with --follow keep printing new lines
    Logs(Logs),
    /// Let a program that speaks the Model Context Protocol, such as an AI assistant, look at the project
    ///
    /// Messages of the protocol are read from stdin and written to stdout, until stdin ends. The tools only read: status,
    /// diff, forecast, verify, history, doctor, logs, ls and cat, which refuses files with secrets.
    Mcp(Mcp),
    /// Send any request to the account's API, or list the command for each endpoint
    Api(Api),
    #[command(flatten)]
    Endpoint(EndpointCommand),
    /// Make a call to WebFaction's XML-RPC API, on a server that still offers it
    ///
    /// Logs in with WEBFACTION_USERNAME and WEBFACTION_PASSWORD from the environment (and WEBFACTION_MACHINE, for
    /// accounts with several machines), makes the call, and prints the answer. --timeout limits the login and the
    /// call, each as a whole [default: 300].
    Webfaction(Webfaction),
    /// Print the completion script for a shell
    ///
    /// In bash, "source <(pya completions bash)" turns completions on for this session; put that into ~/.bashrc for all.
    /// In PowerShell: pya completions powershell | Out-String | Invoke-Expression
    Completions(Completions),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// What a project is, where that does not show: shared by `launch` and `init`.
#[derive(Debug, Args)]
#[command(next_help_heading = "The project")]
pub struct Detect {
    /// The project's folder on this machine [default: that of the pyproject.toml that configures pya, else this one]
    #[arg(help_heading = "Arguments")]
    pub root: Option<PathBuf>,
    /// Domain of the web app [default: the configured one, else that of the account]
    #[arg(long)]
    pub domain: Option<String>,
    /// URL of the site, if it is not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
    /// Django settings module [default: the configured one, else that of wsgi.py, else of manage.py]
    #[arg(long, value_name = "MODULE")]
    pub settings: Option<String>,
    /// A WSGI application without Django [default: the one in app.py, wsgi.py, flask_app.py or main.py]
    #[arg(long, value_name = "MODULE:NAME", conflicts_with_all = ["settings", "asgi"])]
    pub wsgi: Option<String>,
    /// An ASGI application, which becomes a website, where the account can have one
    #[arg(long, value_name = "MODULE:NAME", conflicts_with = "settings")]
    pub asgi: Option<String>,
    /// File with environment variables for the web app [default: .env, if there is one]
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "one switch each on the command line")]
pub struct Launch {
    #[command(flatten)]
    pub detect: Detect,
    /// Version of Python, such as 3.13 [default: one that the project allows, else the account's default]
    #[arg(long, value_name = "X.Y", help_heading = "The web app")]
    pub python: Option<String>,
    /// Name of the virtualenv [default: that of the project]
    #[arg(long, value_name = "NAME", help_heading = "The web app")]
    pub virtualenv: Option<String>,
    /// Replace a WSGI file that pya did not write, or that serves another project; a copy is kept on the host
    #[arg(long, help_heading = "The web app")]
    pub replace_wsgi: bool,
    /// Make a superuser of this name, with the password in DJANGO_SUPERUSER_PASSWORD
    #[arg(long, value_name = "NAME", help_heading = "The web app")]
    pub superuser: Option<String>,
    /// Do not open the page in a browser
    #[arg(long, help_heading = "What to do")]
    pub no_open: bool,
    /// Show what would be done without writing anything, here or on the host
    #[arg(short = 'n', long, help_heading = "What to do")]
    pub dry_run: bool,
    /// Do not ask before anything is made
    #[arg(long, short, help_heading = "What to do")]
    pub yes: bool,
    /// Write what was done as one HTML file, also if the launch fails or is interrupted
    #[arg(long, value_name = "FILE", help_heading = "What to do")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    pub detect: Detect,
    /// Show the files without writing them
    #[arg(short = 'n', long, help_heading = "What to do")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Logout {
    /// Forget the tokens of all accounts
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Default, Args)]
pub struct Status {
    #[command(flatten)]
    pub select: Select,
    /// The web app [default: the configured ones, else all of the account]
    #[arg(long)]
    pub domain: Option<String>,
    /// URL of the site, if it is not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Open {
    /// The web app [default: the configured one, else the account's only one]
    pub domain: Option<String>,
    /// Open Django's admin
    #[arg(long, group = "page")]
    pub admin: bool,
    /// Open the account's dashboard at PythonAnywhere
    #[arg(long, group = "page", conflicts_with = "domain")]
    pub dashboard: bool,
    /// Open the list of the account's consoles at PythonAnywhere
    #[arg(long, group = "page", conflicts_with = "domain")]
    pub console: bool,
    /// URL of the site, if it is not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Keep the site and the account's folder, and print where they are
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "one switch each on the command line")]
pub struct Emulator {
    /// Keep the account in this folder [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Port of the API; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Account kind to imitate
    #[arg(long, value_enum, default_value_t = Account::Free)]
    pub account: Account,
    /// Delay each answer, of the service and of the sites, by this many milliseconds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub latency_ms: u64,
    /// Serve https, and write the certificate authority to this folder
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// Disk space of the account, such as 100M [default: 512M for a free account, no limit for a paid one]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub disk_quota: Option<u64>,
    /// How many seconds a web app has for one request before its process is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0, value_parser = seconds)]
    pub request_limit: f64,
    /// How many days a web app of a free account lives
    #[arg(long, value_name = "N", default_value_t = 31)]
    pub webapp_days: u32,
    /// Let pip in the account install from this folder of wheels instead of the Python package index
    #[arg(long, value_name = "DIR")]
    pub package_index: Option<PathBuf>,
    /// Do not serve the page to look at in a browser
    #[arg(long)]
    pub no_page: bool,
    /// Serve web apps by this uWSGI, as the service does, instead of a small server of the emulator's own
    #[arg(long, value_name = "FILE")]
    pub uwsgi: Option<PathBuf>,
    /// How many times faster than real time the rate limit's clock runs
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub clock_speed: f64,
}

#[derive(Debug, Default, Args)]
pub struct Doctor {
    /// The web app's domain [default: the configured one, else the account's only web app]
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Address of the site, if not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Account {
    Free,
    Paid,
}

/// What is compared: shared by `diff` and `deploy`.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Files to deploy")]
#[allow(clippy::struct_excessive_bools, reason = "one switch each on the command line")]
pub struct Select {
    /// The project's folder on this machine [default: that of the pyproject.toml that configures pya, else this one]
    #[arg(help_heading = "Arguments")]
    pub root: Option<PathBuf>,
    /// Deploy only files that match; may be given several times [default: **/*]
    #[arg(long = "mask", value_name = "MASK")]
    pub masks: Vec<String>,
    /// Deploy matching files even if they are protected (databases, media/, .env, …) or ignored; may be given several
    /// times, and must match something
    #[arg(long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Use only the .gitignore files, without running git
    #[arg(long)]
    pub no_git: bool,
    /// Deploy Git LFS pointers as they are if their content has not been fetched
    #[arg(long)]
    pub allow_lfs_pointers: bool,
    /// Also count as removed what git did not track and another machine sent, such as files that a CI builds
    #[arg(long)]
    pub delete_untracked: bool,
    /// Fail if a part of the project cannot be deployed (a link that leads out of it, a socket, …)
    #[arg(long)]
    pub strict: bool,
    /// Refuse files larger than this, in bytes or with k, M, G [default: 100M, the service's own limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_file_size: Option<u64>,
    /// What to compare with: the manifest on the host, the file names there, or their content (downloads files)
    #[arg(long, value_enum)]
    pub compare: Option<Compare>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
}

#[derive(Debug, Default, Args)]
pub struct Diff {
    #[command(flatten)]
    pub select: Select,
    /// Show what a deploy with --delete would do
    #[arg(long, help_heading = "What to do")]
    pub delete: bool,
    /// Show what a deploy with --delete-unmanaged would do; this needs a complete listing
    #[arg(long, help_heading = "What to do")]
    pub delete_unmanaged: bool,
    /// Show the sizes of the files, and how much would be sent and deleted
    #[arg(long, help_heading = "Output")]
    pub stat: bool,
    #[command(flatten)]
    pub list: ListOptions,
}

#[derive(Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "one switch each on the command line")]
pub struct Deploy {
    #[command(flatten)]
    pub select: Select,
    /// Show the plan without writing anything
    #[arg(short = 'n', long, help_heading = "What to do")]
    pub dry_run: bool,
    /// Delete deployed files that no longer exist locally
    #[arg(long, help_heading = "What to do")]
    pub delete: bool,
    /// Also delete files that no deploy put there
    #[arg(long, help_heading = "What to do")]
    pub delete_unmanaged: bool,
    /// Refuse to delete more files than this [default: 10, or 20 % of the manifest]
    #[arg(long, value_name = "N", help_heading = "What to do")]
    pub max_delete: Option<usize>,
    /// Reload this web app afterwards; may be given several times [default: the configured domain]
    #[arg(long, value_name = "DOMAIN", conflicts_with = "no_reload", help_heading = "What to do")]
    pub reload: Vec<String>,
    /// Do not reload any web app
    #[arg(long, help_heading = "What to do")]
    pub no_reload: bool,
    /// Take over from another deploy that seems to be abandoned
    #[arg(long, help_heading = "What to do")]
    pub force: bool,
    /// Try again for so many seconds while another deploy is under way
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = "What to do")]
    pub wait: u64,
    /// Write what was done as one HTML file, also if the deploy fails or is interrupted
    #[arg(long, value_name = "FILE", help_heading = "What to do")]
    pub report: Option<PathBuf>,
    /// Install this requirements file of the project on the host, before the reload
    #[arg(long, value_name = "FILE", help_heading = "Steps on the host")]
    pub requirements: Option<String>,
    /// Run manage.py collectstatic on the host, before the reload
    #[arg(long, help_heading = "Steps on the host")]
    pub collectstatic: bool,
    /// Run manage.py migrate on the host, before the reload
    #[arg(long, help_heading = "Steps on the host")]
    pub migrate: bool,
    /// Django settings module for manage.py [default: the configured one, else that of the web app]
    #[arg(long, value_name = "MODULE", help_heading = "Steps on the host")]
    pub settings: Option<String>,
    /// Environment variable for the commands; without a value, the one that it has here; may be given several times
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Steps on the host")]
    pub set_env: Vec<String>,
    /// Path of the site for the health check after the reload [default: /, if the site can be reached]
    #[arg(long, value_name = "PATH", help_heading = "Steps on the host")]
    pub health_url: Option<String>,
    /// Skip the health check after the reload
    #[arg(long, conflicts_with = "health_url", help_heading = "Steps on the host")]
    pub no_health: bool,
    /// Restore the old files if a command, the reload or the health check fails
    #[arg(long, help_heading = "Steps on the host")]
    pub rollback_on_failure: bool,
    #[command(flatten)]
    pub executors: ExecutorOptions,
    #[command(flatten)]
    pub list: ListOptions,
}

/// Which executor does the work that the API cannot do.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Executor on the host")]
pub struct ExecutorOptions {
    /// Executor that does the work on the host [default: auto, the cheapest that works]
    #[arg(long, value_enum)]
    pub executor: Option<ExecutorChoice>,
    /// Number of the console to use
    #[arg(long, value_name = "ID")]
    pub console: Option<u64>,
    /// Web app whose agent does the work [default: the configured domain]
    #[arg(long)]
    pub domain: Option<String>,
    /// URL of the site, if it is not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
    /// Allow creating a task for the work; it is deleted afterwards
    #[arg(long)]
    pub allow_tasks: bool,
}

#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Put the agent into a web app and reload it
    Install(AgentOf),
    /// Show whether the agent answers, and if not, why
    Status(AgentOf),
    /// Restore the web app's own WSGI file and reload it
    Remove {
        #[command(flatten)]
        of: AgentOf,
        /// Remove it even if the WSGI file was changed since
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub struct AgentOf {
    /// The web app [default: the configured domain]
    pub domain: Option<String>,
    /// URL of the site, if it is not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Env {
    /// List the names of the variables
    List {
        #[command(flatten)]
        of: EnvOf,
        /// Print the values too
        #[arg(long)]
        show: bool,
    },
    /// Set variables, whose values are asked for or, for a single one, read from stdin; then reload the web app
    Set {
        /// Names of the variables
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        of: EnvOf,
        /// Do not reload the web app, which has them only after a reload
        #[arg(long)]
        no_reload: bool,
    },
    /// Remove variables, and reload the web app
    Unset {
        /// Names of the variables
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        of: EnvOf,
        /// Do not reload the web app, which has them until it is reloaded
        #[arg(long)]
        no_reload: bool,
    },
    /// Set the variables of a file such as .env, and reload the web app; nothing in the values is interpolated
    Push {
        /// The file, with lines of NAME=VALUE; - is stdin
        file: PathBuf,
        #[command(flatten)]
        of: EnvOf,
        /// Do not reload the web app, which has them only after a reload
        #[arg(long)]
        no_reload: bool,
    },
    /// Write the variables to a file that only you can read
    Pull {
        /// The file
        #[arg(default_value = ".env")]
        file: PathBuf,
        #[command(flatten)]
        of: EnvOf,
        /// Replace the file if it exists
        #[arg(long)]
        overwrite: bool,
    },
}

#[derive(Debug, Args)]
pub struct EnvOf {
    /// The web app [default: the configured domain]
    #[arg(long)]
    pub domain: Option<String>,
    /// URL of the site, if it is not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Manage {
    /// The web app [default: the configured domain]
    pub web_app: Option<String>,
    /// Arguments for manage.py; the -- before them may be left out
    #[arg(last = true, required = true)]
    pub args: Vec<String>,
    /// Django settings module for manage.py [default: the configured one, else that of the web app]
    #[arg(long, value_name = "MODULE")]
    pub settings: Option<String>,
    // Not `--env`, by which many tools choose between staging and production.
    /// Environment variable for the command; without a value, the one that it has here; may be given several times
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub set_env: Vec<String>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub executors: ExecutorOptions,
}

#[derive(Debug, Args)]
pub struct Createsuperuser {
    /// Name of the superuser [default: $DJANGO_SUPERUSER_USERNAME, else asked for]
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// Email address of the superuser [default: $DJANGO_SUPERUSER_EMAIL, else asked for]
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// Django settings module for manage.py [default: the configured one, else that of the web app]
    #[arg(long, value_name = "MODULE")]
    pub settings: Option<String>,
    /// Environment variable for the command, such as DJANGO_SUPERUSER_<FIELD> for another required field of the user
    /// model; without a value, the one that it has here; may be given several times
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub set_env: Vec<String>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub executors: ExecutorOptions,
}

#[derive(Debug, Args)]
pub struct Run {
    /// The command and its arguments; the -- before them may be left out
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
    /// Environment variable for the command; without a value, the one that it has here; may be given several times
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub set_env: Vec<String>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub executors: ExecutorOptions,
}

#[derive(Debug, Default, Args)]
pub struct Verify {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub executors: ExecutorOptions,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// ID of the deploy, as listed by pya history [default: the latest]
    pub id: Option<String>,
    /// Reload this web app afterwards; may be given several times [default: the configured domain]
    #[arg(long, value_name = "DOMAIN", conflicts_with = "no_reload")]
    pub reload: Vec<String>,
    /// Do not reload any web app
    #[arg(long)]
    pub no_reload: bool,
    /// Do not ask before the first deploy is undone, which removes all its files
    #[arg(long, short)]
    pub yes: bool,
    /// Write what was done as one HTML file, also if the rollback fails or is interrupted
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub executors: ExecutorOptions,
}

#[derive(Debug, Default, Args)]
pub struct History {
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
}

#[derive(Debug, Args)]
pub struct Pull {
    /// Local folder to write the files to
    pub folder: PathBuf,
    /// Download only files that match (media/ is everything below it); may be given several times [default: **/*]
    #[arg(long, value_name = "MASK")]
    pub include: Vec<String>,
    /// Leave out files that match; may be given several times
    #[arg(long, value_name = "MASK")]
    pub exclude: Vec<String>,
    /// Replace local files that differ
    #[arg(long)]
    pub overwrite: bool,
    /// Download no more than this, in bytes or with k, M, G [default: 2G]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_size: Option<u64>,
    /// The project's folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub executors: ExecutorOptions,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// The web app's domain [default: the configured one, else that of the account's only site]
    pub domain: Option<String>,
    /// Which log [default: error]
    #[arg(value_enum)]
    pub kind: Option<LogKind>,
    /// Keep printing new lines until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Number of existing lines to print first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub lines: usize,
    /// Seconds between two checks for new lines; each check is a request
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    pub interval: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogKind {
    Access,
    Error,
    Server,
}

#[derive(Debug, Args)]
pub struct Api {
    /// HTTP method, such as GET
    #[arg(required_unless_present = "list")]
    pub method: Option<String>,
    /// Path within the account, such as webapps/, or in full, such as /api/v1/user/<name>/websites/
    #[arg(required_unless_present = "list")]
    pub path: Option<String>,
    /// A JSON body; @FILE reads it from a file, - from stdin
    #[arg(long, value_name = "JSON", conflicts_with = "form")]
    pub data: Option<String>,
    /// A form field; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub form: Vec<String>,
    /// A query parameter; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub query: Vec<String>,
    /// List the commands for endpoints, each with its endpoint
    #[arg(long, conflicts_with_all = ["method", "path", "data", "form", "query"])]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// A folder: absolute, or relative to the account's home folder [default: the home folder]
    pub path: Option<String>,
    /// Show the type of each entry
    #[arg(short = 'l')]
    pub long: bool,
    /// List all files below the folder
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// With -R: list only files that match; may be given several times
    #[arg(long = "mask", value_name = "MASK", requires = "recursive")]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Cat {
    /// A file: absolute, or relative to the account's home folder
    pub path: String,
}

#[derive(Debug, Args)]
pub struct Get {
    /// The file: absolute, or relative to the account's home folder
    pub remote: String,
    /// Local file or folder to write to; in a folder (one to be made has a trailing /), the file keeps its name [default: this folder]
    pub local: Option<PathBuf>,
    /// Replace the local file if it exists
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Debug, Args)]
pub struct Put {
    /// A local file, or - for stdin
    pub local: PathBuf,
    /// Path in the account: absolute, or relative to its home folder; with a trailing /, the file keeps its name
    pub remote: String,
}

#[derive(Debug, Args)]
pub struct Rm {
    /// What to delete: absolute, or relative to the account's home folder
    pub path: String,
    /// Delete a folder with everything in it
    #[arg(short = 'r', long)]
    pub recursive: bool,
}

#[derive(Debug, Args)]
pub struct Mcp {
    /// The folder to work in, as if pya had been started there [default: this one]
    pub root: Option<PathBuf>,
    /// Also offer tools that plan a deploy and carry out what was planned; they delete nothing on the host and touch no
    /// database and no protected file
    #[arg(long)]
    pub allow_deploy: bool,
}

#[derive(Debug, Args)]
pub struct Reload {
    /// The web app [default: the configured domain]
    pub domain: Option<String>,
}

#[derive(Debug, Args)]
pub struct Webfaction {
    /// Name of the call, such as list_websites; an unknown name lists all calls
    pub call: String,
    /// Arguments of the call after the session, in order: true or false for flags; a,b or a JSON list for lists; a
    /// JSON list of two strings for each pair; - reads a password from a line of stdin. After --, they may start with -
    pub args: Vec<String>,
    /// The server, over https unless it is on this machine [default: https://api.webfaction.com/]
    #[arg(long, env = "WEBFACTION_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1.0..=1e5).contains(&value) => Ok(value),
        _ => Err("not a number of 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::setting::{Interface, Setting};

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_option_takes_the_token() {
        let command = Cli::command();
        assert!(command.get_arguments().all(|argument| argument.get_id() != "token"));
        assert!(Cli::try_parse_from(["pya", "ls", "--token", "secret"]).is_err());
    }

    #[test]
    fn every_option_that_a_message_names_is_one() {
        let command = Cli::command();
        let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments).chain(command.get_arguments());
        let names: Vec<_> = arguments.filter_map(|argument| argument.get_long()).collect();
        for setting in Setting::ALL {
            let option = setting.spelled(Interface::CommandLine).split(' ').next().unwrap();
            assert!(names.contains(&option.trim_start_matches("--")), "{setting:?}");
        }
    }
}
