//! The story: launch, change, deploy, rollback. Each step is checked, and the exit code is the result.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::command::{Done, pya};
use super::host::{Host, LIMIT};
use super::project::{CHANGED, DemoProject, FIRST_WORDS, Installed, NAME, NEW_WORDS, REMOVED};
use super::snapshot::Snapshot;
use crate::cli::args::Demo;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::table::table;
use crate::error::{Error, Result};
use crate::platform::temporary_folder;
use crate::text::{counted, duration_text};

const DATABASE: &str = "db.sqlite3";

struct Story<'a> {
    context: &'a Context,
    host: Host,
    project: DemoProject,
    done: Vec<Done>,
    failed: Vec<String>,
    /// How many files the site consists of on the host, with the collected static files.
    files: usize,
}

pub async fn run(args: &Demo, context: &Context) -> Result<Exit> {
    let installed = Installed::of(&context.python).await?;
    let folder = temporary_folder("pya-demo-").map_err(Error::temporary)?;
    let mut story = Story::begin(&installed, context, &folder).await?;
    let told = story.tell().await;
    if args.keep {
        context.output.say(&format!("kept: {}", folder.keep().display()));
    }
    told
}

impl<'a> Story<'a> {
    async fn begin(installed: &Installed, context: &'a Context, folder: &TempDir) -> Result<Self> {
        let say = |text: &str| context.output.say(text);
        say(&format!("1. A project: wagtail start {NAME} (Wagtail {})", installed.wagtail));
        let project = DemoProject::make(&context.python, folder.path(), installed).await?;
        say(
            "2. A host: a fresh free account of PythonAnywhere, emulated on this machine. It allows 40 requests a minute,",
        );
        say("   and has neither web app nor files");
        let host = Host::start(&context.python, folder.path()).await?;
        say(&format!("   {}, its site: {}", host.emulator.url(), host.emulator.site_url()));
        say(&format!("   pip installs there from wheels of the {} packages that are installed here", host.packages));
        Ok(Self { context, host, project, done: Vec::new(), failed: Vec::new(), files: 0 })
    }

    async fn tell(&mut self) -> Result<Exit> {
        let launched = self.launch().await?;
        self.launch_again().await?;
        self.change_and_deploy().await?;
        self.deploy_nothing().await?;
        self.roll_back(&launched).await?;
        Ok(self.conclude())
    }

    /// From nothing to a served page; returns the account's files as they are then.
    async fn launch(&mut self) -> Result<Snapshot> {
        self.say(
            "3. Launch: one command, most of whose time pip takes. The emulated site is not at its domain, so its",
        );
        self.say("   address is given; on PythonAnywhere \"pya launch\" does");
        let (status, _) = self.host.page().await?;
        self.check(&format!("before, the site answers {status}"), status == 404);
        let address = self.host.emulator.site_url().to_owned();
        self.run(&["launch", "--site-url", &address]).await?;
        self.check_page(FIRST_WORDS).await?;
        let here = self.here()?;
        let there = self.there()?;
        self.check(
            &format!("{} of the project are there, byte for byte", counted(here.len(), "file")),
            there.holds(&here),
        );
        // Others would not send the database.
        self.files = there.len() - usize::from(there.has(DATABASE));
        Ok(there)
    }

    async fn launch_again(&mut self) -> Result<()> {
        self.say("4. Launch again: everything is as it should be");
        let writes = self.run(&["launch"]).await?.writes;
        self.check("nothing is written", writes == 0);
        Ok(())
    }

    async fn change_and_deploy(&mut self) -> Result<()> {
        self.project.change()?;
        self.say(&format!("5. Three files are changed here ({}), and {REMOVED} is deleted", CHANGED.join(", ")));
        self.run(&["diff"]).await?;
        let requests = self.run(&["deploy", "--delete"]).await?.requests;
        self.check("the deploy is one request: the reload", requests == 1);
        self.check_page(NEW_WORDS).await?;
        let (here, there) = (self.here()?, self.there()?);
        self.check("the files there are those here, byte for byte", there.holds(&here));
        self.check(&format!("{REMOVED} is gone"), !there.has(REMOVED));
        Ok(())
    }

    async fn deploy_nothing(&mut self) -> Result<()> {
        self.say("6. Deploy again, with nothing changed");
        let requests = self.run(&["deploy"]).await?.requests;
        self.check("no request", requests == 0);
        Ok(())
    }

    async fn roll_back(&mut self, launched: &Snapshot) -> Result<()> {
        self.say("7. Undo the deploy");
        self.run(&["rollback"]).await?;
        self.check_page(FIRST_WORDS).await?;
        let there = self.there()?;
        let what = format!("all {} are as they were before the deploy, byte for byte", counted(there.len(), "file"));
        self.check(&what, there == *launched);
        Ok(())
    }

    /// Runs a command in the project's folder, and shows it, its output and what it cost. The story ends where one fails.
    async fn run(&mut self, words: &[&str]) -> Result<&Done> {
        let output = &self.context.output;
        output.say(&format!("   $ pya {}", words.join(" ")));
        let say = |line: &str| output.say(format!("     {line}").trim_end());
        let done = pya(words, &self.context.python, &self.project.root, &self.host, say).await?;
        let requests = counted(done.requests, "request");
        output.say(&format!("   => {requests} to the API, {:.1} s", done.seconds));
        if done.exit_code != 0 {
            return Err(Error::job(format!("{} ended with exit code {}", done.typed, done.exit_code)));
        }
        self.done.push(done);
        self.done.last().ok_or(Error::Closed)
    }

    async fn check_page(&mut self, words: &str) -> Result<()> {
        let (status, page) = self.host.page().await?;
        self.check(&format!("the page says {words:?}"), status == 200 && page.contains(words));
        Ok(())
    }

    fn here(&self) -> Result<Snapshot> {
        Snapshot::of(&self.project.root)
    }

    fn there(&self) -> Result<Snapshot> {
        Snapshot::of(&self.host.project())
    }

    fn conclude(&self) -> Exit {
        let table = table(&self.rows(), self.context.output.width());
        self.context.output.answer(&format!("\n{table}"), &self.document());
        if !self.failed.is_empty() {
            self.context.output.failure(&format!("these checks failed: {}", self.failed.join("; ")));
            return Exit::Failed;
        }
        let minutes = duration_text(Duration::from_secs(60 * (self.files.saturating_sub(1) / LIMIT as usize) as u64));
        self.say(&format!(
            "[ok] all of it. A client that sends every file needs {} and {minutes} for each deploy",
            counted(self.files, "request")
        ));
        Exit::Ok
    }

    fn document(&self) -> Value {
        let commands: Vec<Value> = self.done.iter().map(as_json).collect();
        json!({ "ok": self.failed.is_empty(), "failed": self.failed, "commands": commands, "files": self.files })
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let heading = ["", "requests", "that write", "time"].map(str::to_owned).to_vec();
        [heading].into_iter().chain(self.done.iter().map(row)).collect()
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

fn row(done: &Done) -> Vec<String> {
    let time = format!("{:.1} s", done.seconds);
    vec![done.typed.clone(), done.requests.to_string(), done.writes.to_string(), time]
}

fn as_json(done: &Done) -> Value {
    json!({
        "command": done.typed,
        "exit_code": done.exit_code,
        "requests": done.requests,
        "writes": done.writes,
        "seconds": done.seconds,
    })
}
