//! Commands that never end on the host, or that ask somebody: refused before anything is sent, with what to do instead.
//!
//! A command has no terminal there and blocks a site with one worker for as long as it runs, so a slip such as `runserver`
//! takes the site down for minutes. Django's parser accepts the beginning of a long option, and takes options before the
//! command's name in a `manage.py` of one's own; both are seen here. What a project's own commands do is not known.

use crate::error::{Error, Result};
use crate::setting::{Interface, Setting};

/// Options of every Django command whose value may be the next word.
const WITH_VALUE: [&str; 4] = ["--settings", "--pythonpath", "--verbosity", "-v"];

/// Options by which a command asks nobody.
const NO_INPUT: [&str; 2] = ["--noinput", "--no-input"];

/// Options that end any command at once.
const HELP: [&str; 3] = ["--help", "--version", "-h"];

/// Why a command does not come to an end by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It serves a site.
    Server,
    /// It works through a queue, unless it has this option.
    Worker(&'static str),
    /// It reads what somebody types, unless it has one of these options.
    Interactive(&'static [&'static str]),
    /// It asks before it acts, unless it has one of these options.
    Asks(&'static [&'static str]),
}

use Kind::{Asks, Interactive, Server, Worker};

/// Commands of Django, and of packages that are often used with it.
const COMMANDS: [(&str, Kind); 22] = [
    ("runserver", Server),
    ("runserver_plus", Server),
    ("runsslserver", Server),
    ("runprofileserver", Server),
    ("runworker", Worker("")),
    ("testserver", Server),
    ("livereload", Server),
    ("qcluster", Worker("--run-once")),
    ("rqworker", Worker("--burst")),
    ("run_huey", Worker("")),
    ("rundramatiq", Worker("")),
    ("db_worker", Worker("--batch")),
    ("process_tasks", Worker("--duration")),
    ("shell", Interactive(&["--command", "-c"])),
    ("shell_plus", Interactive(&["--command", "-c"])),
    ("dbshell", Interactive(&["--"])),
    ("createsuperuser", Asks(&NO_INPUT)),
    ("changepassword", Asks(&NO_INPUT)),
    ("flush", Asks(&NO_INPUT)),
    ("collectstatic", Asks(&NO_INPUT)),
    ("remove_stale_contenttypes", Asks(&NO_INPUT)),
    ("reset_db", Asks(&NO_INPUT)),
];

/// Refuses arguments of `manage.py` by which it would never end, or would ask somebody.
///
/// # Errors
/// `Config`, with what to do instead.
pub(crate) fn check_manage(args: &[String]) -> Result<()> {
    find(args).map_or(Ok(()), |(name, kind)| Err(Error::config(refusal(name, kind))))
}

/// The same for any command, as far as it is known to run `manage.py` or pip.
///
/// # Errors
/// `Config`, with what to do instead.
pub(crate) fn check_run(words: &[String]) -> Result<()> {
    if let [shell, option, text] = words
        && matches!(program(shell), "bash" | "sh")
        && option == "-c"
    {
        return check_shell(text);
    }
    let Some(command) = python_command(words) else { return Ok(()) };
    match command {
        PythonCommand::Manage(args) => check_manage(args),
        PythonCommand::Pip(args) if pip_asks(args) => Err(Error::config(
            "pip uninstall asks before it removes anything, and nobody can answer on the host: add -y",
        )),
        PythonCommand::Pip(_) => Ok(()),
    }
}

/// A command line may pipe answers into what asks for them, so only what never ends is refused.
fn check_shell(text: &str) -> Result<()> {
    for statement in text.split(['\n', ';', '&', '|']) {
        let words: Vec<String> = statement.split_whitespace().map(str::to_owned).collect();
        if let Some(PythonCommand::Manage(args)) = python_command(&words)
            && let Some((name, kind @ (Server | Worker(_)))) = find(args)
        {
            return Err(Error::config(refusal(name, kind)));
        }
    }
    Ok(())
}

/// What a command line runs, if it is one of these, and its arguments.
enum PythonCommand<'a> {
    Manage(&'a [String]),
    Pip(&'a [String]),
}

fn python_command(words: &[String]) -> Option<PythonCommand<'_>> {
    let is_assignment =
        |word: &&String| word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.contains(['/', '-']));
    let words = &words[words.iter().take_while(|word| is_assignment(word) || program(word) == "env").count()..];
    let (first, rest) = words.split_first()?;
    if is_release_of("python", program(first)) { python_runs(rest) } else { by_name(first, rest) }
}

/// What Python runs with these arguments.
fn python_runs(args: &[String]) -> Option<PythonCommand<'_>> {
    // Python's own options; those with a value are `-m`, which is the program, and two others.
    let mut at = 0;
    loop {
        match args.get(at)?.as_str() {
            "-c" => return None,
            "-m" => return by_name(args.get(at + 1)?, &args[at + 2..]),
            "-W" | "-X" => at += 2,
            word if word.starts_with('-') => at += 1,
            word => return by_name(word, &args[at + 1..]),
        }
    }
}

/// Whether a name is that of a program, or of one of its versions: `python`, `python3.13`.
fn is_release_of(program: &str, name: &str) -> bool {
    name.strip_prefix(program).is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn by_name<'a>(word: &str, args: &'a [String]) -> Option<PythonCommand<'a>> {
    match program(word) {
        "manage.py" | "django-admin" | "django" => Some(PythonCommand::Manage(args)),
        name if is_release_of("pip", name) => Some(PythonCommand::Pip(args)),
        _ => None,
    }
}

fn program(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn pip_asks(args: &[String]) -> bool {
    let is_uninstall = args.iter().find(|word| !word.starts_with('-')).is_some_and(|word| word == "uninstall");
    is_uninstall && !has_option(args, &["--yes", "-y"]) && !has_option(args, &HELP)
}

/// The command among these arguments, if it does not end by itself.
fn find(args: &[String]) -> Option<(&str, Kind)> {
    let at = place_of_command(args)?;
    let (name, kind) = *COMMANDS.iter().find(|(command, _)| *command == args[at])?;
    let rest = &args[at + 1..];
    let ends = match kind {
        Server => false,
        Worker(option) => !option.is_empty() && has_option(rest, &[option]),
        // What comes after "--" goes to the database's own client.
        Interactive(&["--"]) => rest.iter().any(|word| word == "--"),
        Interactive(options) | Asks(options) => has_option(rest, options),
    };
    let is_help = has_option(rest, &HELP) || has_option(&args[..at], &HELP);
    (!ends && !is_help).then_some((name, kind))
}

/// Where the name of the command stands, behind options.
fn place_of_command(args: &[String]) -> Option<usize> {
    let mut at = 0;
    while args.get(at)?.starts_with('-') {
        let word = &args[at];
        let takes_next = |option: &&str| word == option || (option.starts_with("--") && is_option(word, option));
        at += if !word.contains('=') && WITH_VALUE.iter().any(takes_next) { 2 } else { 1 };
    }
    Some(at)
}

/// Whether one of these options is there, its name in full or cut short, with or without its value.
fn has_option(words: &[String], options: &[&str]) -> bool {
    let words = words.iter().take_while(|word| *word != "--");
    words.into_iter().any(|word| options.iter().any(|option| is_option(word, option)))
}

/// Whether a word is this option. A short one may have its value attached.
fn is_option(word: &str, option: &str) -> bool {
    let name = word.split('=').next().unwrap_or(word);
    if option.starts_with("--") {
        name.len() > 2 && option.starts_with(name)
    } else {
        word.starts_with(option) && !word.starts_with("--")
    }
}

/// Why a command is refused, and what to do instead.
fn refusal(name: &str, kind: Kind) -> String {
    match (name, kind) {
        ("testserver", _) => "manage.py testserver never ends, and no visitor would reach it: load the fixtures with \
                              loaddata; the web app serves the site already"
            .to_owned(),
        (_, Server) => format!(
            "manage.py {name} never ends, and no visitor would reach it: the web app serves the site already. Reload it \
             after a change"
        ),
        (_, Worker(option)) => {
            let once = if option.is_empty() { String::new() } else { format!(", or add {option}") };
            format!(
                "manage.py {name} works until it is stopped: an always-on task is the place for it (\"pya always-on \
                 create\"){once}"
            )
        }
        ("dbshell", _) => {
            "manage.py dbshell waits for what is typed, and nobody can type on the host: give the query to \
                           the database's client after \"--\" (dbshell -- -c \"SELECT 1\" for PostgreSQL, -e for MySQL)"
                .to_owned()
        }
        (_, Interactive(_)) => format!(
            "manage.py {name} waits for what is typed, and nobody can type on the host: give it the code ({name} -c \
             \"print(1)\"), or open a console in the browser"
        ),
        (_, Asks(_)) => refusal_to_ask(name),
    }
}

/// Why a command that asks is refused, and what to do instead.
fn refusal_to_ask(name: &str) -> String {
    match name {
        "createsuperuser" => format!(
            "manage.py createsuperuser asks for a name and a password, and nobody can answer on the host: use \
             \"createsuperuser --noinput --username NAME --email ADDRESS\", with the password in a variable ({})",
            set_env("DJANGO_SUPERUSER_PASSWORD")
        ),
        "changepassword" => format!(
            "manage.py changepassword asks for the password, and nobody can answer on the host: use \"shell -c\" with \
             code that calls set_password(os.environ[\"NEW_PASSWORD\"]) and save() of that user, with the password in a \
             variable ({})",
            set_env("NEW_PASSWORD")
        ),
        _ => {
            format!("manage.py {name} asks before it acts, and nobody can answer on the host: add --noinput")
        }
    }
}

/// How to say that a variable is set for a command.
fn set_env(variable: &str) -> String {
    match Interface::current() {
        Interface::Python => format!("{}{{\"{variable}\": …}}", Setting::SetEnv),
        Interface::CommandLine => format!("{} {variable}", Setting::SetEnv),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn commands_that_never_end_or_ask_are_refused_with_what_to_do_instead() {
        for (args, advice) in [
            ("runserver", "serves the site already"),
            ("runserver 0.0.0.0:8000 --noreload", "Reload it"),
            ("--settings x runserver", "runserver never ends"),
            ("--settings=x -v 3 runserver", "runserver never ends"),
            ("--sett x --pythonpath . --traceback runserver_plus", "runserver_plus never ends"),
            ("testserver --noinput data.json", "loaddata"),
            ("shell", "shell -c"),
            ("shell -i ipython", "shell -c"),
            ("shell_plus --notebook", "shell_plus -c"),
            ("dbshell", "dbshell --"),
            ("dbshell --database other", "dbshell --"),
            ("createsuperuser", "DJANGO_SUPERUSER_PASSWORD"),
            ("createsuperuser --username noinput", "--noinput"),
            ("createsuperuser -- --noinput", "--noinput"),
            ("changepassword me", "set_password"),
            ("flush", "add --noinput"),
            ("collectstatic --clear", "add --noinput"),
            ("qcluster", "--run-once"),
            ("run_huey", "always-on task"),
        ] {
            let error = check_manage(&words(args)).unwrap_err().to_string();
            assert!(error.contains(advice), "{args}: {error}");
        }
    }

    #[test]
    fn what_ends_by_itself_is_not_refused() {
        for args in [
            "migrate",
            "check --settings runserver",
            "--settings runserver check",
            "help runserver",
            "runserver --help",
            "runserver -h",
            "--version runserver",
            "shell -c print(1)",
            "shell -cprint(1)",
            "shell --command print(1)",
            "shell --comm=print(1)",
            "dbshell -- -c SELECT",
            "createsuperuser --noinput --username me",
            "createsuperuser --no-in --username me",
            "createsuperuser --noinp",
            "changepassword --noinput me",
            "collectstatic --noinput",
            "rqworker --burst default",
            "db_worker --batch",
            "my_runserver",
            "",
        ] {
            assert!(check_manage(&words(args)).is_ok(), "{args}");
        }
        assert!(check_manage(&[]).is_ok());
    }

    #[test]
    fn any_command_is_looked_through_for_manage_py_and_pip() {
        for command in [
            "python manage.py runserver",
            "python3.11 -u -W ignore mysite/manage.py --settings x shell",
            "env DEBUG=1 /home/me/venv/bin/python -m django runserver",
            "DEBUG=1 python manage.py createsuperuser",
            "./manage.py runserver",
            "django-admin dbshell",
            "pip uninstall django",
            "python -m pip uninstall django",
            "pip3.12 --no-color uninstall -r requirements.txt",
        ] {
            assert!(check_run(&words(command)).is_err(), "{command}");
        }
        for command in [
            "python manage.py migrate",
            "python script.py runserver",
            "python -c runserver",
            "python",
            "pip uninstall -y django",
            "pip install uninstall",
            "echo manage.py runserver",
            "timeout 5 python manage.py runserver",
        ] {
            assert!(check_run(&words(command)).is_ok(), "{command}");
        }
        let bash = |text: &str| check_run(&["bash".to_owned(), "-c".to_owned(), text.to_owned()]);
        assert!(bash("cd site && python manage.py runserver 8000").is_err());
        assert!(bash("yes yes | python manage.py flush; python manage.py shell < code.py").is_ok());
        assert!(bash("echo manage.py runserver").is_ok());
    }
}
