//! What can be typed. Only shapes and help texts: what a value means when it is left out is the business of
//! [`super::settings`].
//!
//! There is no option for the token itself: a command line is visible to every user of the machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::endpoints::EndpointCommand;
use super::exit;
use super::options::{CompareBy, Executor, Global, seconds, size};

/// Deploy Django projects to PythonAnywhere with few requests.
///
/// Settings come from options, then from the environment (API_TOKEN, PYTHONANYWHERE_USERNAME, PYTHONANYWHERE_SITE,
/// PYTHONANYWHERE_DOMAIN, PYTHONANYWHERE_RATE_LIMIT), then from the table [tool.pythonanywhere] in pyproject.toml.
#[derive(Debug, Parser)]
#[command(name = "pya", version, after_help = exit::HELP, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch a real Wagtail site being deployed to the emulator, changed and deployed again
    Demo(Demo),
    /// Run the service on this machine, for your tests
    Emulator(Emulator),
    /// Show what a deploy would change; sends nothing but reads
    Diff(Diff),
    /// Upload what changed, and reload the web app
    Deploy(Deploy),
    /// Install, look at or remove the agent in a web app, which makes fast deploys and commands possible
    #[command(subcommand)]
    Agent(Agent),
    /// Run manage.py on the host, with the web app's Python
    Manage(Manage),
    /// Run a command on the host, by a task or in a console
    Run(Run),
    /// Compare all files on the host with what was deployed and with the local ones
    Verify(Verify),
    /// Put back what a deploy replaced
    Rollback(Rollback),
    /// List what was done on the host
    History(History),
    /// Bring files of the project on the host here
    Pull(Pull),
    /// List a folder of the account
    Ls(Ls),
    /// Print a file of the account
    Cat(Cat),
    /// Download one file
    Get(Get),
    /// Upload one file
    Put(Put),
    /// Delete a file, or with -r a folder
    Rm(Rm),
    /// Reload a web app
    Reload(Reload),
    /// Print a web app's log, and with --follow what is added to it
    Logs(Logs),
    /// Send any request below the account, or list the commands by endpoint
    Api(Api),
    #[command(flatten)]
    Endpoint(EndpointCommand),
    /// Make a call of WebFaction's XML-RPC API, on a server that kept it
    ///
    /// Logs in with WEBFACTION_USERNAME and WEBFACTION_PASSWORD from the environment (and WEBFACTION_MACHINE, for
    /// accounts with several), makes the call, and prints what it answers. --timeout counts for the whole of each of the
    /// two [default: 300].
    Webfaction(Webfaction),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Keep the site and the account's folder, and say where they are
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
    /// Delay of each answer, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub latency_ms: u64,
    /// Serve https, with a certificate authority that is written to this folder
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// How many times faster than real time the rate limit's clock runs
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub clock_speed: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Account {
    Free,
    Paid,
}

/// What is compared: shared by `diff` and `deploy`.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is deployed")]
pub struct Select {
    /// The project on this machine [default: the folder of the pyproject.toml with our table, else this one]
    #[arg(help_heading = "Arguments")]
    pub root: Option<PathBuf>,
    /// Deploy only files that match; may be given several times [default: **/*]
    #[arg(long = "mask", value_name = "MASK")]
    pub masks: Vec<String>,
    /// Include protected files (*.sqlite3*, /media/, /.env* by default) that match; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Fail if something of the project cannot be deployed (links out of it, sockets, …)
    #[arg(long)]
    pub strict: bool,
    /// Refuse files larger than this, in bytes or with k, M, G [default: 100M, the service's own limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_file_size: Option<u64>,
    /// What is known of the host: its manifest, the names there, or the content (downloads files)
    #[arg(long, value_enum)]
    pub compare: Option<CompareBy>,
    /// Folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
}

#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    pub select: Select,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "one switch each on the command line")]
pub struct Deploy {
    #[command(flatten)]
    pub select: Select,
    /// Show the plan; send no write
    #[arg(short = 'n', long, help_heading = "What is done")]
    pub dry_run: bool,
    /// Delete files that we put there and that are gone locally
    #[arg(long, help_heading = "What is done")]
    pub delete: bool,
    /// Delete also files that somebody else put there
    #[arg(long, help_heading = "What is done")]
    pub delete_unmanaged: bool,
    /// Refuse to delete more files than this [default: 10, or 20 % of the manifest]
    #[arg(long, value_name = "N", help_heading = "What is done")]
    pub max_delete: Option<usize>,
    /// Reload this web app afterwards; may be given several times [default: the configured domain]
    #[arg(long, value_name = "DOMAIN", conflicts_with = "no_reload", help_heading = "What is done")]
    pub reload: Vec<String>,
    /// Reload nothing
    #[arg(long, help_heading = "What is done")]
    pub no_reload: bool,
    /// Take over the deploy of somebody who seems to have gone
    #[arg(long, help_heading = "What is done")]
    pub force: bool,
    /// Install this requirements file of the project on the host, before the reload
    #[arg(long, value_name = "FILE", help_heading = "What is run on the host")]
    pub requirements: Option<String>,
    /// Run manage.py collectstatic on the host, before the reload
    #[arg(long, help_heading = "What is run on the host")]
    pub collectstatic: bool,
    /// Run manage.py migrate on the host, before the reload
    #[arg(long, help_heading = "What is run on the host")]
    pub migrate: bool,
    /// Look at this path of the site after the reload [default: /, where the site can be reached]
    #[arg(long, value_name = "PATH", help_heading = "What is run on the host")]
    pub health_url: Option<String>,
    /// Don't look at the site after the reload
    #[arg(long, conflicts_with = "health_url", help_heading = "What is run on the host")]
    pub no_health: bool,
    /// Put the old files back if a command, the reload or the look at the site fails
    #[arg(long, help_heading = "What is run on the host")]
    pub rollback_on_failure: bool,
    #[command(flatten)]
    pub via: Via,
}

/// Who does what the API cannot.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Who works on the host")]
pub struct Via {
    /// What does the work on the host [default: auto, the cheapest that works]
    #[arg(long, value_enum)]
    pub executor: Option<Executor>,
    /// Number of the console to use
    #[arg(long, value_name = "ID")]
    pub console: Option<u64>,
    /// The web app whose agent does it [default: the configured domain]
    #[arg(long)]
    pub domain: Option<String>,
    /// Where the site is, if not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
    /// Allow a task to be made for it, and deleted afterwards
    #[arg(long)]
    pub allow_tasks: bool,
}

#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Put the agent into a web app and reload it
    Install(AgentOf),
    /// Say whether the agent answers, and if not, why
    Status(AgentOf),
    /// Put the web app's own WSGI file back and reload it
    Remove {
        #[command(flatten)]
        of: AgentOf,
        /// Also if the WSGI file was changed since
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub struct AgentOf {
    /// The web app [default: the configured domain]
    pub domain: Option<String>,
    /// Where the site is, if not at its domain
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Manage {
    /// The web app [default: the configured domain]
    pub web_app: Option<String>,
    /// Arguments for manage.py
    #[arg(last = true, required = true)]
    pub args: Vec<String>,
    /// Folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub via: Via,
}

#[derive(Debug, Args)]
pub struct Run {
    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
    /// Folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub via: Via,
}

#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub via: Via,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The deploy, as pya history lists it [default: the latest]
    pub id: Option<String>,
    /// Reload this web app afterwards; may be given several times [default: the configured domain]
    #[arg(long, value_name = "DOMAIN", conflicts_with = "no_reload")]
    pub reload: Vec<String>,
    /// Reload nothing
    #[arg(long)]
    pub no_reload: bool,
    /// Folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub via: Via,
}

#[derive(Debug, Args)]
pub struct History {
    /// Folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
}

#[derive(Debug, Args)]
pub struct Pull {
    /// Where the files go
    pub folder: PathBuf,
    /// Bring only files that match, media/ being all below it; may be given several times [default: **/*]
    #[arg(long, value_name = "MASK")]
    pub include: Vec<String>,
    /// Leave out files that match; may be given several times
    #[arg(long, value_name = "MASK")]
    pub exclude: Vec<String>,
    /// Replace local files that differ
    #[arg(long)]
    pub overwrite: bool,
    /// Folder in the account [default: /home/<user>/<project>]
    #[arg(long, value_name = "PATH")]
    pub remote_root: Option<String>,
    #[command(flatten)]
    pub via: Via,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// The web app's domain
    pub domain: String,
    /// Which log
    #[arg(value_enum, default_value_t = LogKind::Error)]
    pub kind: LogKind,
    /// Go on printing what is added, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines of what is there already
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub lines: usize,
    /// How often to look, in seconds; each look is a request
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
    /// The HTTP method, as in GET
    #[arg(required_unless_present = "list")]
    pub method: Option<String>,
    /// Below the account, as in webapps/, or whole, as in /api/v1/user/<name>/websites/
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
    /// List the commands that there are, with the endpoint of each
    #[arg(long, conflicts_with_all = ["method", "path", "data", "form", "query"])]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// A folder: absolute, or below the account's home folder [default: the home folder]
    pub path: Option<String>,
    /// Show the type of each entry
    #[arg(short = 'l')]
    pub long: bool,
    /// List the files below as well
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// With -R: only files that match; may be given several times
    #[arg(long = "mask", value_name = "MASK", requires = "recursive")]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Cat {
    /// A file: absolute, or below the account's home folder
    pub path: String,
}

#[derive(Debug, Args)]
pub struct Get {
    /// The file: absolute, or below the account's home folder
    pub remote: String,
    /// Where it goes on this machine; in a folder the name is kept [default: this folder]
    pub local: Option<PathBuf>,
    /// Replace a local file
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Debug, Args)]
pub struct Put {
    /// A file of this machine, or - for stdin
    pub local: PathBuf,
    /// Where it goes: absolute, or below the account's home folder; with a closing / the name is kept
    pub remote: String,
}

#[derive(Debug, Args)]
pub struct Rm {
    /// What goes: absolute, or below the account's home folder
    pub path: String,
    /// Delete a folder with all below it
    #[arg(short = 'r', long)]
    pub recursive: bool,
}

#[derive(Debug, Args)]
pub struct Reload {
    /// The web app [default: the configured domain]
    pub domain: Option<String>,
}

#[derive(Debug, Args)]
pub struct Webfaction {
    /// Name of the call, such as list_websites; a wrong one lists them all
    pub call: String,
    /// Its arguments after the session, in order: true or false for flags; a,b or a JSON list for lists; a JSON list
    /// of two texts for each pair; - for a password on a line of stdin. After -- they may start with -
    pub args: Vec<String>,
    /// The server, over https unless it is on this machine [default: https://api.webfaction.com/]
    #[arg(long, env = "WEBFACTION_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1.0..=1e5).contains(&value) => Ok(value),
        _ => Err("not a factor of 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

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
}
