//! All processes of one account, which start and end together.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::always_on::AlwaysOn;
use super::console::Consoles;
use super::cpu::CpuMeter;
use super::launcher::Launcher;
use super::logs::Logs;
use super::run::CommandTools;
use super::scheduler::Schedule;
use super::webapp_config::WebApps;
use super::webapp_worker::WebAppWorkers;
use super::website::Websites;
use crate::emulator::account::Account;
use crate::emulator::settings::Settings;

/// All processes of one account, and the configuration of what runs.
#[derive(Debug)]
pub struct Processes {
    launcher: Arc<Launcher>,
    cpu: Arc<CpuMeter>,
    /// The logs of all of them.
    pub logs: Logs,
    /// The configured web apps.
    pub webapps: WebApps,
    /// The processes of web apps.
    pub workers: WebAppWorkers,
    /// Always-on tasks.
    pub always_on: AlwaysOn,
    /// Scheduled tasks.
    pub schedule: Schedule,
    /// Websites.
    pub websites: Websites,
    /// The consoles.
    pub consoles: Consoles,
}

impl Processes {
    /// Prepares to start processes, without starting any.
    ///
    /// # Errors
    /// If the launcher cannot be set up, or if what an earlier emulator stored in the root cannot be read.
    pub fn new(settings: &Settings, account: &Arc<Account>) -> io::Result<Self> {
        let launcher = Arc::new(Launcher::new(settings, account)?);
        let cpu = Arc::new(CpuMeter::default());
        let logs = Logs::new(account);
        let tools = CommandTools { launcher: Arc::clone(&launcher), meter: Arc::clone(&cpu), logs: logs.clone() };
        let tools = Arc::new(tools);
        Ok(Self {
            webapps: WebApps::open(account)?,
            workers: WebAppWorkers::new(Arc::clone(&launcher), account, settings)?,
            consoles: Consoles::new(Arc::clone(&launcher), account)?,
            always_on: AlwaysOn::new(Arc::clone(&tools)),
            schedule: Schedule::new(Arc::clone(&tools)),
            websites: Websites::new(tools, settings.request_limit),
            launcher,
            cpu,
            logs,
        })
    }

    /// `"host"` if processes see the account at its own paths, `"root"` if only below the root.
    #[must_use]
    pub fn paths(&self) -> &'static str {
        self.launcher.paths()
    }

    /// The version of the account's Python, such as `3.11`.
    #[must_use]
    pub fn python_version(&self) -> &str {
        self.launcher.python_version()
    }

    /// The CPU time used today, and when the count is reset, in the service's format.
    #[must_use]
    pub fn cpu_used_today(&self) -> (Duration, String) {
        self.cpu.today(self.consoles.cpu_time())
    }

    /// Kills every process.
    pub async fn stop(&self) {
        self.consoles.stop();
        self.schedule.stop().await;
        self.always_on.stop().await;
        self.websites.stop().await;
        self.workers.stop().await;
    }
}
