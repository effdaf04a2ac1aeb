//! The Python environment of a web app, as far as a command on the host must be told, and how long commands may run.
//!
//! Inside the web app the agent has all of it. A task or a console is told what the web app's record and the text of its
//! WSGI file say, and no more: where that may not be all, `manage.py` is refused, since it could work on another database.

use std::time::Duration;

use serde_json::Value;

use crate::api::if_there;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::{Executor, JobEnvironment, Operation, Variables, WsgiCode, wsgi_file};
use crate::setting::Setting;

/// How long a command may run inside a web app, in seconds, where a request may take 5 minutes.
pub const COMMAND_LIMIT: u64 = 240;

/// How long an import of the settings may take, in seconds.
const INSPECT_LIMIT: u64 = 60;

/// How long one may run elsewhere.
const LONG_COMMAND_LIMIT: u64 = 3600;

/// How long a receipt may come later than its command's limit: a scheduled task begins within two minutes.
const RECEIPT_LATER: Duration = Duration::from_secs(6 * 60);

/// How long a command may run where `executor` starts it, in seconds.
pub(crate) fn limit_of(executor: &Executor) -> u64 {
    if is_inside(executor) { COMMAND_LIMIT } else { LONG_COMMAND_LIMIT }
}

/// How long to wait for the receipt of a command that `executor` starts.
pub(crate) fn receipt_within(executor: &Executor) -> Duration {
    Duration::from_secs(limit_of(executor)) + RECEIPT_LATER
}

/// What the web app runs with, as far as a command must be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct PythonEnvironment {
    /// What a job is told.
    told: JobEnvironment,
    /// What its WSGI file sets.
    variables: Variables,
    /// How long a command may run, in seconds.
    timeout: u64,
}

impl PythonEnvironment {
    /// What `pip` must be told of the web app with this record. Without one, it installs for the host's Python.
    pub(crate) fn of_record(record: Option<&Value>, executor: &Executor) -> Self {
        let field = |name: &str| {
            let value = record.and_then(|record| record[name].as_str());
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let is_agent = is_inside(executor);
        let told = JobEnvironment {
            virtualenv: field("virtualenv_path"),
            python: field("python_version").filter(|_| !is_agent),
            folder: field("working_directory").filter(|_| !is_agent),
            ..JobEnvironment::default()
        };
        Self { told, timeout: limit_of(executor), ..Self::default() }
    }

    /// What `manage.py` must be told of the web app of `domain`. Sends two requests.
    ///
    /// # Errors
    /// As for [`Self::for_manage`].
    pub(crate) async fn read(
        client: &Client,
        domain: Option<&str>,
        settings: Option<&str>,
        executor: &Executor,
    ) -> Result<Self> {
        let record = match domain {
            Some(domain) => Some(client.webapp(domain).await?),
            None => None,
        };
        Self::of_record(record.as_ref(), executor).for_manage(client, domain, settings, executor).await
    }

    /// What is left to be told in the web app itself.
    pub(crate) fn inside(domain: &str, settings: &str) -> Self {
        let (domain, settings) = (Some(domain.to_lowercase()), Some(settings.to_owned()));
        let told = JobEnvironment { settings, domain, ..JobEnvironment::default() };
        Self { told, timeout: COMMAND_LIMIT, ..Self::default() }
    }

    /// The same for `manage.py`, with the settings module `settings` if that was named. Sends one request, for the WSGI
    /// file.
    ///
    /// # Errors
    /// `Config` where `manage.py` would not run as the web app does; as the service answers.
    pub(crate) async fn for_manage(
        self,
        client: &Client,
        domain: Option<&str>,
        settings: Option<&str>,
        executor: &Executor,
    ) -> Result<Self> {
        let domain = domain.ok_or_else(no_domain)?;
        let code = wsgi_code(client, domain).await?;
        if let Some(why) = refusal(&code, domain, settings, executor) {
            return Err(Error::config(format!("manage.py was not run: {why}")));
        }
        let (settings, domain) = (settings.map(str::to_owned), Some(domain.to_lowercase()));
        if is_inside(executor) {
            // It has all the rest, also what no text tells.
            return Ok(Self { told: JobEnvironment { settings, domain, ..self.told }, ..self });
        }
        Ok(self.outside(code, settings, domain))
    }

    /// What is to be told outside of the web app, as the `code` of its WSGI file says.
    fn outside(self, code: WsgiCode, settings: Option<String>, domain: Option<String>) -> Self {
        let told = JobEnvironment {
            settings: settings.or(code.settings),
            folder: code.folder.or(self.told.folder),
            path: code.path,
            defaults: code.defaults,
            domain,
            ..self.told
        };
        Self { told, variables: Variables::of_web_app(&code.variables), timeout: self.timeout }
    }

    /// `manage.py` with these arguments.
    pub(crate) fn manage(&self, args: Vec<String>, manage: Option<String>) -> Operation {
        let manage = manage.unwrap_or_else(|| "manage.py".to_owned());
        Operation::Manage { args, manage, environment: self.told.clone(), timeout: self.timeout }
    }

    /// An import of the settings, from the project of this `manage.py`.
    pub(crate) fn inspect(
        &self,
        manage: Option<String>,
        virtualenv: Option<String>,
        folder: Option<String>,
    ) -> Operation {
        let told = self.told.clone();
        let (virtualenv, folder) = (virtualenv.or(told.virtualenv), folder.or(told.folder));
        Operation::Inspect {
            manage: manage.unwrap_or_else(|| "manage.py".to_owned()),
            environment: JobEnvironment { virtualenv, folder, ..told },
            timeout: INSPECT_LIMIT,
        }
    }

    /// The variables of a command: those of the web app where `operation` runs `manage.py`, and `given`, which win.
    pub(crate) fn variables(&self, operation: &Operation, given: &Variables) -> Variables {
        match operation {
            Operation::Manage { .. } | Operation::Inspect { .. } => self.variables.with(given),
            _ => given.clone(),
        }
    }

    pub(crate) fn pip(&self, requirements: String) -> Operation {
        let (virtualenv, python) = (self.told.virtualenv.clone(), self.told.python.clone());
        Operation::Pip { requirements, virtualenv, python, timeout: self.timeout }
    }
}

/// The WSGI file of a web app, for messages.
pub(crate) fn file_of(domain: &str) -> String {
    wsgi_file(domain).map_or_else(|_| "its WSGI file".to_owned(), |file| file.to_string())
}

/// Whether commands inherit the environment of the web app.
fn is_inside(executor: &Executor) -> bool {
    matches!(executor, Executor::Webapp(_))
}

fn no_domain() -> Error {
    Error::config(format!(
        "manage.py was not run: it uses the settings of a web app, so name the web app ({})",
        Setting::Domain
    ))
}

/// What the WSGI file of a web app says; nothing if there is none.
async fn wsgi_code(client: &Client, domain: &str) -> Result<WsgiCode> {
    let file = wsgi_file(domain)?;
    let text = if_there(client.read_file(&file).await)?.unwrap_or_default();
    Ok(WsgiCode::read(&String::from_utf8_lossy(&text), file.as_str(), client.user()))
}

/// Why `manage.py` would run with other settings than the web app, and what to do about it.
fn refusal(code: &WsgiCode, domain: &str, settings: Option<&str>, executor: &Executor) -> Option<String> {
    if code.is_placeholder && settings.is_none() {
        let file = file_of(domain);
        return Some(format!(
            "the WSGI file of {domain} is still the host's placeholder and names no settings, so manage.py would use \
             those for development. Let {file} load the project (os.environ[\"DJANGO_SETTINGS_MODULE\"] = \"…\"), then \
             repeat this; or name the settings module ({})",
            Setting::Settings
        ));
    }
    if is_inside(executor) {
        return None;
    }
    refusal_outside(code, domain, settings, executor.name())
}

/// Why `manage.py` would do so outside of the web app, by the executor `name`.
fn refusal_outside(code: &WsgiCode, domain: &str, settings: Option<&str>, name: &str) -> Option<String> {
    let file = file_of(domain);
    let agent = format!("the agent runs it as the web app runs (\"pya agent install {domain}\")");
    match (&code.unknown, settings.or(code.settings.as_deref())) {
        (Some(what), _) => Some(format!(
            "{file} {what}, so what it does to the environment is not known outside of the web app, and by {name} it \
             could work on another database. {agent}"
        )),
        (None, None) => Some(format!(
            "{file} names no settings module that {name} could use, so manage.py would take those for development. \
             Set os.environ[\"DJANGO_SETTINGS_MODULE\"] there, or name it ({}); or {agent}",
            Setting::Settings
        )),
        (None, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(is_placeholder: bool, settings: Option<&str>, unknown: Option<&str>) -> WsgiCode {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        WsgiCode { is_placeholder, settings: owned(settings), unknown: owned(unknown), ..WsgiCode::default() }
    }

    #[test]
    fn a_task_runs_manage_only_with_the_settings_that_the_web_app_has_or_that_were_named() {
        let why = |code: WsgiCode, named: Option<&str>| refusal(&code, "a.b", named, &Executor::Schedule);
        assert_eq!(why(code(false, Some("x"), None), None), None);
        assert!(why(code(true, None, None), None).unwrap().contains("placeholder"));
        assert!(why(code(false, None, None), None).unwrap().contains("names no settings module"));
        for code in [code(true, None, None), code(false, None, None), code(false, Some("x"), None)] {
            assert_eq!(why(code, Some("y")), None);
        }
        for named in [None, Some("y")] {
            let words = why(code(false, Some("x"), Some("uses load_dotenv")), named).unwrap();
            assert!(words.contains("/var/www/a_b_wsgi.py uses load_dotenv"), "{words}");
            assert!(words.contains("agent install"), "{words}");
        }
    }
}
