//! The steps of the demo: deploy, change, diff, deploy, deploy. Each step is checked, and the exit code is the result.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::host::{Host, SPEED};
use super::site::{CHANGED, DemoSite, FIRST_WORDS, Interpreter, NAME, NEW_WORDS, REMOVED};
use crate::cli::args::Demo;
use crate::cli::commands::deploy::perform;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::paths::home;
use crate::cli::table::table;
use crate::deploy::{DeployDiff, DeployOptions, DeployReport, Project, SelectOptions};
use crate::error::{Error, Result};
use crate::finder::NeverSkip;
use crate::text::{counted, duration_text};

/// What the service allows in a minute.
const LIMIT: usize = 40;

/// One deploy, and what it cost.
struct Round {
    name: &'static str,
    uploaded: usize,
    deleted: usize,
    /// As the emulator counted them, the diff's included.
    requests: usize,
    /// By the demo's clock.
    seconds: f64,
}

struct Story<'a> {
    context: &'a Context,
    host: Host,
    site: DemoSite,
    project: Project,
    rounds: Vec<Round>,
    failed: Vec<String>,
}

pub async fn run(args: &Demo, context: &Context) -> Result<Exit> {
    let interpreter = Interpreter::of(&context.python).await?;
    let folder =
        TempDir::with_prefix("pya-demo-").map_err(|source| Error::Local { path: std::env::temp_dir(), source })?;
    let mut story = Story::begin(&interpreter, context, &folder).await?;
    story.first_deploy().await?;
    story.change_and_deploy().await?;
    story.deploy_nothing().await?;
    let exit = story.conclude();
    if args.keep {
        context.output.say(&format!("kept: {}", folder.keep().display()));
    }
    Ok(exit)
}

impl<'a> Story<'a> {
    async fn begin(interpreter: &Interpreter, context: &'a Context, folder: &TempDir) -> Result<Self> {
        let say = |text: &str| context.output.say(text);
        say(&format!("1. A site: wagtail start {NAME}, collectstatic, migrate (Wagtail {})", interpreter.wagtail));
        let site = DemoSite::make(&context.python, folder.path()).await?;
        say("2. A host: an emulated PythonAnywhere account with a web app in it");
        let host = Host::start(&context.python, folder.path().join("account"))?;
        host.make_web_app(interpreter).await?;
        say(&format!(
            "   {} (site: {}), {LIMIT} requests a minute as on the service;\n   \
             only its clock runs {SPEED} times as fast, so that minutes pass in a second",
            host.emulator.url(),
            host.emulator.site_url()
        ));
        let project = Project {
            client: host.client.clone(),
            local_root: site.root.clone(),
            remote_root: home(host.client.user())?.join(NAME)?,
        };
        Ok(Self { context, host, site, project, rounds: Vec::new(), failed: Vec::new() })
    }

    async fn first_deploy(&mut self) -> Result<()> {
        self.say("3. The first deploy sends everything, one request per file. The database is protected and is sent");
        self.say("   only because --include names it. Then the web app is reloaded");
        let (diff, report) = self.deploy("first deploy", &["db.sqlite3"]).await?;
        let files = diff.added.len();
        self.check(&format!("{} sent", counted(report.uploaded.len(), "file")), report.ok && files > 100);
        let page = self.host.page().await?;
        self.check(&format!("the home page says {FIRST_WORDS:?}"), page.contains(FIRST_WORDS));
        Ok(())
    }

    async fn change_and_deploy(&mut self) -> Result<()> {
        self.site.change()?;
        self.say("4. Three files change and one is deleted. pya diff:");
        let (diff, report) = self.deploy("3 changed, 1 deleted", &[]).await?;
        for line in diff.to_string().lines() {
            self.say(&format!("      {line}"));
        }
        let exact = diff.added.is_empty() && diff.changed == CHANGED && diff.removed == [REMOVED];
        self.check("the diff shows exactly that", exact);
        self.say("   pya deploy --delete");
        let sent = report.ok && report.uploaded == CHANGED && report.deleted == [REMOVED];
        self.check("the deploy sends exactly those, and deletes that one", sent);
        let page = self.host.page().await?;
        self.check(&format!("the home page says {NEW_WORDS:?}"), page.contains(NEW_WORDS));
        Ok(())
    }

    async fn deploy_nothing(&mut self) -> Result<()> {
        self.say("5. Once more, with nothing changed");
        let (_, report) = self.deploy("nothing changed", &[]).await?;
        let nothing = report.ok && report.uploaded.is_empty() && report.deleted.is_empty();
        self.check("nothing is sent", nothing && self.rounds.last().is_some_and(|round| round.requests == 2));
        Ok(())
    }

    /// Diffs and deploys, and records what it cost.
    async fn deploy(&mut self, name: &'static str, include: &[&str]) -> Result<(DeployDiff, DeployReport)> {
        let include: Vec<String> = include.iter().map(|&mask| mask.to_owned()).collect();
        let before = self.host.emulator.requests().len();
        let select = SelectOptions { include: include.clone(), ..SelectOptions::default() };
        let diff = crate::deploy::diff(&self.project, &select, &NeverSkip, None).await?;
        let options =
            DeployOptions { delete: true, reload: vec![self.host.domain.clone()], include, ..DeployOptions::default() };
        let mut report = perform(&self.project, &diff, &options, self.context, false).await?;
        // The report lists them in the order in which they arrived.
        report.uploaded.sort_unstable();
        let requests = self.host.emulator.requests().len() - before;
        let (uploaded, deleted) = (report.uploaded.len(), report.deleted.len());
        self.rounds.push(Round { name, uploaded, deleted, requests, seconds: report.seconds });
        for (path, reason) in &report.failed {
            self.context.output.failure(&format!("{path}: {reason}"));
        }
        Ok((diff, report))
    }

    fn conclude(&self) -> Exit {
        let everything = self.rounds.iter().map(|round| round.uploaded).max().unwrap_or_default();
        let at_the_limit =
            |requests: usize| duration_text(Duration::from_secs(60 * (requests.saturating_sub(1) / LIMIT) as u64));
        let heading = ["", "sent", "deleted", "requests", "at 40 a minute", "sending everything: requests", "time"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(self.rounds.iter().map(|round| {
            vec![
                round.name.to_owned(),
                round.uploaded.to_string(),
                round.deleted.to_string(),
                round.requests.to_string(),
                at_the_limit(round.requests),
                everything.to_string(),
                at_the_limit(everything),
            ]
        }));
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|round| {
                json!({
                    "name": round.name,
                    "uploaded": round.uploaded,
                    "deleted": round.deleted,
                    "requests": round.requests,
                    "seconds": round.seconds,
                    "requests_sending_everything": everything,
                })
            })
            .collect();
        self.context.output.answer(
            &format!("\n{}", table(&rows, self.context.output.width())),
            &json!({ "ok": self.failed.is_empty(), "failed": self.failed, "rounds": rounds }),
        );
        if self.failed.is_empty() {
            return Exit::Ok;
        }
        self.context.output.failure(&format!("these checks failed: {}", self.failed.join("; ")));
        Exit::Failed
    }

    fn check(&mut self, what: &str, holds: bool) {
        self.say(&format!("   {} {what}", if holds { "[ok]" } else { "[FAILED]" }));
        if !holds {
            self.failed.push(what.to_owned());
        }
    }

    fn say(&self, text: &str) {
        self.context.output.say(text);
    }
}
