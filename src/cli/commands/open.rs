//! `pya open`: the site, its admin, or the account's pages in a browser.
//!
//! The address is the answer, so that it can be copied where no browser can be started: over SSH, in a container, in a
//! console of the service.

use serde_json::json;

use super::logs::default_domain;
use crate::api::checked_domain;
use crate::blocking::blocking;
use crate::cli::args::Open;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::client::BaseUrl;
use crate::error::Result;
use crate::platform::has_display;

pub async fn run(args: &Open, context: &Context) -> Result<Exit> {
    let settings = context.settings()?;
    let url = if args.dashboard || args.console {
        let (user, host) = settings.user_and_host()?;
        let page = if args.console { "consoles/" } else { "" };
        format!("{host}user/{}/{page}", crate::client::quote(&user))
    } else {
        let page = if args.admin { "admin/" } else { "" };
        format!("{}{page}", site(args, &settings).await?)
    };
    let address = url.clone();
    let opened = blocking(move || Ok(open(&address))).await?;
    context.output.answer(&url, &json!({ "url": url, "opened": opened.is_ok() }));
    if let Err(why) = opened {
        context.output.say(&format!("no browser was started here: {why}"));
    }
    Ok(Exit::Ok)
}

/// The address of the site, with its closing slash.
async fn site(args: &Open, settings: &Settings<'_>) -> Result<BaseUrl> {
    let configured = settings.table.domains();
    let domain = match args.domain.as_ref().or(configured.first()) {
        Some(domain) => domain.clone(),
        None => default_domain(&[], &settings.client()?).await?,
    };
    let domain = checked_domain(&domain)?.to_lowercase();
    // The address of the table is that of its first domain.
    let is_theirs = configured.first().is_none_or(|first| first.eq_ignore_ascii_case(&domain));
    let table_url = settings.table.site_url.as_deref().filter(|_| is_theirs);
    BaseUrl::parse(args.site_url.as_deref().or(table_url).unwrap_or(&domain))
}

/// Starts a browser; else says why not.
///
/// # Errors
/// Why not.
pub(super) fn open(url: &str) -> Result<(), String> {
    // What is found without a display is a browser of text, which would take over the terminal.
    if !has_display() {
        return Err("there is no display".to_owned());
    }
    webbrowser::open(url).map_err(|error| error.to_string())
}
