//! The account's real processes: consoles and web apps.

mod console;
mod cpu;
mod end;
mod launcher;
mod web;
mod webapp;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use console::{Console, Consoles};
pub use cpu::CpuMeter;
pub use launcher::{Launcher, Session};
pub use web::{Lease, StartError, WebProcesses};
pub use webapp::{WebApp, WebApps, wsgi_path};

use super::account::Account;
use super::settings::Settings;

/// All processes of one account, and what is configured to run.
#[derive(Debug)]
pub struct Processes {
    launcher: Arc<Launcher>,
    cpu: Arc<CpuMeter>,
    /// The configured web apps.
    pub webapps: WebApps,
    /// Those that run.
    pub web: WebProcesses,
    /// The consoles.
    pub consoles: Consoles,
}

impl Processes {
    /// Gets ready to start processes; starts none yet.
    ///
    /// # Errors
    /// If the launcher cannot be set up, or what an earlier emulator left in the root cannot be read.
    pub fn new(settings: &Settings, account: &Arc<Account>) -> io::Result<Self> {
        let launcher = Arc::new(Launcher::new(settings, account)?);
        Ok(Self {
            webapps: WebApps::open(account)?,
            web: WebProcesses::new(Arc::clone(&launcher), account, settings.undocumented.webapp_threads)?,
            consoles: Consoles::new(Arc::clone(&launcher), account)?,
            launcher,
            cpu: Arc::default(),
        })
    }

    /// `"host"` if processes see the account at its own paths, `"root"` if only below the root.
    #[must_use]
    pub fn paths(&self) -> &'static str {
        self.launcher.paths()
    }

    /// The CPU time that was used today, and when the count starts anew, in the service's form.
    #[must_use]
    pub fn cpu_used_today(&self) -> (Duration, String) {
        self.cpu.today(Duration::ZERO)
    }

    /// Ends every process.
    pub async fn stop(&self) {
        self.consoles.stop();
        self.web.stop().await;
    }
}
