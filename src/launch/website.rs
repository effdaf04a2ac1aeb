//! ASGI applications: the service runs them as websites, each of which is a command that listens on a socket
//! (<https://help.pythonanywhere.com/pages/ASGICommandLine/>).
//!
//! A website has no WSGI file, so it has no agent either, and no static files mappings. What has to run on the host, such as
//! pip, is run by a task, which goes afterwards; variables of an environment file are not sent. The command of a website
//! cannot be changed: one that serves something else is left alone.

use serde_json::Value;

use super::context::{Launch, LaunchOptions};
use super::detect::wsgi_app::Application;
use super::local::LocalPlan;
use super::note::LaunchNote;
use super::prepare::{begin, python_of, virtualenv_of, write_project};
use super::report::{LaunchRecorder, StepState};
use super::steps::{self, Files, Outcome, looked, step};
use super::survey::{Survey, check_folder, pythons};
use crate::client::Client;
use crate::digest::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::host::host_time;
use crate::launch::detect::requirements::Requirements;
use crate::setting::Setting;
use crate::text::single_quoted;

/// What serves the application.
const SERVER: &str = "uvicorn";

/// Launches an ASGI application; `None` if a step failed, which is in the report.
pub(super) async fn launch(
    client: &Client,
    local: &LocalPlan,
    application: &Application,
    options: &LaunchOptions,
    recorder: &LaunchRecorder,
) -> Option<()> {
    looked(recorder, "superuser", refuse_superuser(local, options))?;
    recorder.tell("account", StepState::Running, "");
    let seen = looked(recorder, "account", look(client, local, options, recorder).await)?;
    let mut site = WebsiteLaunch { command: command(&seen, application), website: seen.1, launch: seen.0 };
    recorder.tell("account", StepState::Done, format!("{} at {}", client.user(), client.host().authority()));
    looked(recorder, "website", site.check())?;
    if options.dry_run {
        let files = looked(recorder, "files", steps::compare(&site.launch).await)?;
        return site.tell_plan(&files);
    }
    site.carry_out().await
}

/// The launch of a website.
struct WebsiteLaunch<'a> {
    launch: Launch<'a>,
    /// Its record, if there is one.
    website: Option<Value>,
    /// The command that serves the application.
    command: String,
}

/// Refuses a superuser: only the agent can make one without a terminal.
fn refuse_superuser(local: &LocalPlan, options: &LaunchOptions) -> Result<()> {
    if options.superuser.is_none() {
        return Ok(());
    }
    Err(Error::config(format!(
        "{} is served as a website, which has no agent to make a superuser with: launch it without one ({}), and run \"manage.py \
         createsuperuser\" in a console on PythonAnywhere; or launch a WSGI application of the project ({})",
        local.project.describe(),
        Setting::Superuser,
        Setting::Wsgi
    )))
}

/// The websites of the account, if it can have any.
async fn websites(client: &Client, local: &LocalPlan) -> Result<Vec<Value>> {
    let error = match client.list_websites().await {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) => error,
        outcome => return outcome,
    };
    // A token of another account, or of the other system, is refused here too.
    client.list_webapps().await?;
    Err(Error::config(format!(
        "{} is served as a website, which this account cannot have: a WSGI application of the project can be launched ({}): \
         {}",
        local.project.describe(),
        Setting::Wsgi,
        error.chain()
    )))
}

/// Whether the last launch made the virtualenv, and no version of Python is asked for that it may not have.
fn is_virtualenv_kept(launch: &Launch<'_>) -> bool {
    launch.options.python.is_none() && launch.before().is_some_and(|note| note.virtualenv == launch.virtualenv.1)
}

/// Reads what is on the host, and decides what everything is called.
async fn look<'a>(
    client: &'a Client,
    local: &'a LocalPlan,
    options: &'a LaunchOptions,
    recorder: &'a LaunchRecorder,
) -> Result<(Launch<'a>, Option<Value>)> {
    let domain = &local.domain;
    let website = websites(client, local)
        .await?
        .into_iter()
        .find(|site| site["domain_name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(domain)));
    let mut launch = begin(client, local, options, recorder)?;
    let note =
        LaunchNote::read(client, &launch.folder).await?.filter(|note| note.domain == *domain && website.is_some());
    if note.is_none() {
        check_folder(client, &launch.project.remote_root, &launch.folder).await?;
    }
    // One that is there already tells that no web app has the domain.
    let apps = if website.is_none() { client.list_webapps().await? } else { Vec::new() };
    let others = apps.iter().filter_map(|app| app["domain_name"].as_str().map(str::to_lowercase)).collect();
    launch.survey = Survey { others, note, ..Survey::default() };
    launch.use_virtualenv(virtualenv_of("", options, local, client.user())?);
    if !is_virtualenv_kept(&launch) {
        launch.survey.pythons = Some(pythons(client).await?);
        launch.python = python_of(&launch.survey, options, local)?;
    }
    // Without an agent a task has to do it.
    launch.executors.allow_tasks = true;
    Ok((launch, website))
}

/// As the service's own guide has it.
fn command(seen: &(Launch<'_>, Option<Value>), application: &Application) -> String {
    let launch = &seen.0;
    let program = quoted(&format!("{}/bin/{SERVER}", launch.virtualenv.1));
    let folder = quoted(&launch.remote_source());
    format!("{program} --app-dir {folder} --uds ${{DOMAIN_SOCKET}} {}", application.spelled())
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
    if is_plain { word.to_owned() } else { single_quoted(word) }
}

impl WebsiteLaunch<'_> {
    fn command_there(&self) -> Option<&str> {
        self.website.as_ref().and_then(|site| site["webapp"]["command"].as_str())
    }

    /// Refuses a website that serves something else, or nothing.
    fn check(&self) -> Result<()> {
        let domain = self.launch.domain();
        if self.launch.survey.others.iter().any(|other| other == domain) {
            return Err(Error::config(format!(
                "{domain} is a web app, which serves WSGI applications only: give another domain ({}), or delete the web app on \
                 the page Web",
                Setting::Domain
            )));
        }
        self.website.as_ref().map_or(Ok(()), |site| self.check_website(site))
    }

    /// Refuses one that has another command, which cannot be changed, or is disabled.
    fn check_website(&self, site: &Value) -> Result<()> {
        let domain = self.launch.domain();
        if self.command_there() != Some(&self.command) {
            return Err(Error::config(format!(
                "the website {domain} has another command, and a command cannot be changed: delete it (\"pya websites delete \
                 {domain}\"), or give another domain ({}). This one would be: {}",
                Setting::Domain,
                self.command
            )));
        }
        if site["enabled"] == Value::Bool(false) {
            return Err(Error::config(format!(
                "the website {domain} is disabled: \"pya websites update {domain} enabled=true\" enables it"
            )));
        }
        Ok(())
    }

    /// The text of the requirements with the server; `None` if the project's own file has it.
    fn requirements(&self) -> Result<Option<String>> {
        let local = self.launch.local;
        let requirements = &local.project.requirements;
        let Requirements::File(path) = requirements else {
            return Ok(Some(requirements.text().unwrap_or_default() + SERVER + "\n"));
        };
        let place = local.project.root.join(path);
        let text = std::fs::read_to_string(&place).map_err(|source| Error::Local { path: place, source })?;
        let has_server = text.lines().any(|line| {
            let name = line.trim_start().to_ascii_lowercase();
            name.strip_prefix(SERVER)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-'))
        });
        let place = quoted(&format!("{}/{path}", self.launch.project.remote_root));
        Ok((!has_server).then(|| format!("-r {place}\n{SERVER}\n")))
    }

    /// All that comes after the look at the host.
    async fn carry_out(&mut self) -> Option<()> {
        let (client, recorder) = (self.launch.client, self.launch.recorder);
        write_project(self.launch.local, recorder)?;
        let files = looked(recorder, "files", steps::compare(&self.launch).await)?;
        let before = host_time(client);
        if looked(recorder, "requirements", self.is_done(&files))? {
            recorder.tell_launched(&["virtualenv", "files", "requirements", "website"]);
        } else {
            Box::pin(self.change(files)).await?;
        }
        if self.launch.options.site_url.is_some() || !client.host().is_loopback() {
            step!(recorder, "page", steps::health(&mut self.launch, before));
        }
        if self.launch.changes > 0 {
            looked(recorder, "page", self.launch.note.write(client, &self.launch.folder).await)?;
        }
        Some(())
    }

    fn digest(&self) -> Result<String> {
        let own = steps::requirements_digest(self.launch.local)?.unwrap_or_default();
        Ok(sha256(format!("{own}\n{}", self.requirements()?.unwrap_or_default())))
    }

    /// Whether everything is as the last launch left it, and that was for the same.
    fn is_done(&self, files: &Files) -> Result<bool> {
        let Some(note) = self.launch.before() else { return Ok(false) };
        Ok(files.is_clean
            && note.deploy == files.deploy
            && is_virtualenv_kept(&self.launch)
            && note.requirements == Some(self.digest()?))
    }

    /// Does all that is not so already.
    async fn change(&mut self, files: Files) -> Option<()> {
        let (recorder, client) = (self.launch.recorder, self.launch.client);
        if self.launch.survey.note.is_some() {
            looked(recorder, "account", LaunchNote::remove(client, &self.launch.folder).await)?;
        }
        if !self.launch.local.variables.is_empty() {
            recorder
                .warn("the variables of the environment file are not sent: a website has no agent, which keeps them");
        }
        step!(recorder, "virtualenv", self.make_virtualenv());
        step!(recorder, "files", steps::files(&mut self.launch, files));
        step!(recorder, "requirements", self.install());
        // Also where nothing was changed now: an interrupted launch may have changed something.
        self.launch.changes += 1;
        step!(recorder, "website", self.serve());
        Some(())
    }

    async fn make_virtualenv(&mut self) -> Result<Outcome> {
        let path = self.launch.virtualenv.1.clone();
        self.launch.note.virtualenv.clone_from(&path);
        if is_virtualenv_kept(&self.launch) {
            return Ok(Outcome::skipped(path));
        }
        let is_made = steps::make_virtualenv(&self.launch).await?;
        self.launch.code_changed |= is_made;
        let words = format!("{path}, Python {}", self.launch.python);
        Ok(if is_made { Outcome::done(words) } else { Outcome::skipped(words) })
    }

    async fn install(&mut self) -> Result<Outcome> {
        let (digest, text) = (self.digest()?, self.requirements()?);
        let name = format!("{}, with {SERVER}", self.launch.local.project.requirements.describe());
        steps::install_listed(&mut self.launch, text, digest, &name).await
    }

    /// Makes the website, or lets the one that is there run the new code.
    async fn serve(&mut self) -> Result<Outcome> {
        let (client, domain) = (self.launch.client, self.launch.domain().to_owned());
        if self.website.is_some() {
            client.reload_website(&domain).await?;
            return Ok(Outcome::done(format!("{domain} was reloaded")));
        }
        self.create(&domain).await?;
        Ok(Outcome::done(format!("{domain} runs {}", self.command)))
    }

    async fn create(&self, domain: &str) -> Result<()> {
        let client = self.launch.client;
        match client.create_website(domain, &self.command).await {
            Err(error) if error.is_ambiguous() => {
                let list = client.list_websites().await?;
                if list.iter().any(|site| site["domain_name"] == *domain) { Ok(()) } else { Err(error) }
            }
            Err(error) if steps::is_domain_refused(&error) => Err(Error::config(format!(
                "the website {domain} cannot be made: {}. A web app or another account may have the domain: give another \
                 one ({})",
                error.chain(),
                Setting::Domain
            ))),
            outcome => outcome.map(drop),
        }
    }

    /// What a launch would do, for a dry run.
    fn tell_plan(&self, files: &Files) -> Option<()> {
        let (launch, recorder) = (&self.launch, self.launch.recorder);
        if looked(recorder, "requirements", self.is_done(files))? && launch.local.writes().is_empty() {
            recorder.tell("launch", StepState::Skipped, "everything is as it was launched");
            return Some(());
        }
        for (path, _) in launch.local.writes() {
            recorder.plan("project", format!("write {path} here"));
        }
        if !is_virtualenv_kept(&self.launch) {
            recorder.plan("virtualenv", format!("{}, Python {}, made by a task", launch.virtualenv.1, launch.python));
        }
        recorder.plan("files", format!("{} to {}", files.describe(), launch.project.remote_root));
        recorder.plan("requirements", format!("{}, with {SERVER}", launch.local.project.requirements.describe()));
        recorder.plan("website", format!("{} runs {}", launch.domain(), self.command));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        for (word, expected) in [("/home/me/a-b_1.c", "/home/me/a-b_1.c"), ("/a b", "'/a b'"), ("/it's", "'/it'\\''s'")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}
