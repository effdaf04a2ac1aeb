//! `pya emulator`: the service on this machine, until a signal ends it.
//!
//! The ready line is one JSON document with or without `--json`, so that a script can wait for it and read it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::args::{Account, Emulator as Args};
use crate::cli::context::{Context, HostPython};
use crate::cli::exit::Exit;
use crate::cli::settings::read_token;
use crate::cli::signals::Signals;
use crate::client::RateLimit;
use crate::clock;
use crate::emulator::{AccountKind, Emulator, Settings};
use crate::error::{Error, Result};

pub async fn run(args: &Args, context: &Context, signals: &mut Signals) -> Result<Exit> {
    let settings = settings(args, context)?;
    clock::set_speed(args.clock_speed);
    let failed =
        |source| Error::Local { path: args.root.clone().unwrap_or_else(|| PathBuf::from("the emulator")), source };
    let emulator = tokio::task::block_in_place(|| Emulator::start(settings)).map_err(failed)?;
    context.output.document(&ready_line(&emulator, args.clock_speed));
    context.output.say("the emulator runs until Ctrl-C or SIGTERM");
    signals.next().await;
    tokio::task::block_in_place(|| drop(emulator));
    Ok(Exit::Ok)
}

fn ready_line(emulator: &Emulator, clock_speed: f64) -> Value {
    json!({
        "url": emulator.url(),
        "user": emulator.user(),
        "token": emulator.token(),
        "root": emulator.root(),
        "site_url": emulator.site_url(),
        "package_index": emulator.package_index(),
        "page": emulator.page(),
        "paths": emulator.paths(),
        "clock_speed": clock_speed,
    })
}

/// The settings, as far as the command's own options say.
fn own_settings(args: &Args, python: &HostPython) -> Settings {
    Settings {
        root: args.root.clone(),
        port: args.port,
        account: match args.account {
            Account::Free => AccountKind::Free,
            Account::Paid => AccountKind::Paid,
        },
        latency: Duration::from_millis(args.latency_ms),
        tls: args.tls.clone(),
        python: python.executable.clone(),
        disk_quota: args.disk_quota,
        request_limit: Duration::from_secs_f64(args.request_limit),
        webapp_days: args.webapp_days,
        package_index: args.package_index.clone(),
        page: !args.no_page,
        uwsgi: args.uwsgi.clone(),
        ..Settings::default()
    }
}

fn settings(args: &Args, context: &Context) -> Result<Settings> {
    let mut settings = own_settings(args, &context.python);
    if let Some(user) = &context.global.user {
        settings.user.clone_from(user);
    }
    if let Some(path) = &context.global.token_file {
        settings.token = Some(read_token(path)?);
    }
    if let Some(text) = &context.global.rate_limit {
        match RateLimit::parse(text)? {
            RateLimit::PerMinute(number) => settings.rate_limit = Some(number),
            RateLimit::Off | RateLimit::Default => (settings.rate_limit, settings.send_input_limit) = (None, None),
        }
    }
    Ok(settings)
}
