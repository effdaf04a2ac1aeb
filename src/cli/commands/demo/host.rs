//! The demo's host: an emulated account with a web app in it, and a visitor of its site.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::site::{Interpreter, NAME};
use crate::cli::context::HostPython;
use crate::client::{BaseUrl, Client, Options, RateLimit, RemotePath, Request, Token};
use crate::clock;
use crate::emulator::process::wsgi_path;
use crate::emulator::{Emulator, Settings};
use crate::error::{Error, Result};

/// How many times faster than real time the demo's clock runs: the first deploy would take 11 minutes.
pub const SPEED: f64 = 120.0;
/// Django starts at the first request after a reload.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An emulated account.
pub struct Host {
    pub emulator: Emulator,
    pub client: Client,
    pub domain: String,
}

impl Host {
    /// Starts the emulator with the real limit on a fast clock.
    ///
    /// # Errors
    /// `Local` if it cannot start.
    pub fn start(python: &HostPython, root: PathBuf) -> Result<Self> {
        clock::set_speed(SPEED);
        let settings = Settings { root: Some(root), python: python.executable.clone(), ..Settings::default() };
        let emulator =
            Emulator::start(settings).map_err(|source| Error::Local { path: "the emulator".into(), source })?;
        let host = BaseUrl::parse(emulator.url())?;
        // Set explicitly: a PYTHONANYWHERE_RATE_LIMIT in the environment would change the numbers.
        let options = Options { rate_limit: RateLimit::PerMinute(40), ..Options::default() };
        let client = Client::new(&host, emulator.user(), &Token::new(emulator.token())?, options)?;
        let domain = format!("{}.pythonanywhere.com", emulator.user());
        Ok(Self { emulator, client, domain })
    }

    /// Creates a web app that runs the site from `~/mysite`, as a user would on the Web page.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn make_web_app(&self, interpreter: &Interpreter) -> Result<()> {
        self.client.create_webapp(&self.domain, &interpreter.version).await?;
        let prefix = interpreter.prefix.to_string_lossy();
        self.client.update_webapp(&self.domain, &[("virtualenv_path", &prefix)]).await?;
        self.client.upload_file(&RemotePath::parse(&wsgi_path(&self.domain))?, Bytes::from(wsgi())).await?;
        Ok(())
    }

    /// The home page, as a visitor gets it.
    ///
    /// # Errors
    /// `Api` if the site answers with an error.
    pub async fn page(&self) -> Result<String> {
        let options = Options { rate_limit: RateLimit::Off, read_timeout: TIMEOUT, ..Options::default() };
        let visitor = Client::at(self.emulator.site_url(), options)?;
        let response = visitor.send(Request::get("")).await?.error_for_status()?;
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }
}

fn wsgi() -> String {
    format!(
        "import os\nimport sys\n\n\
         sys.path.insert(0, os.path.expanduser(\"~/{NAME}\"))\n\
         os.environ[\"DJANGO_SETTINGS_MODULE\"] = \"{NAME}.settings.production\"\n\n\
         from django.core.wsgi import get_wsgi_application  # noqa: E402\n\n\
         application = get_wsgi_application()\n"
    )
}
