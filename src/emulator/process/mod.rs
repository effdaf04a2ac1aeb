//! The account's real processes: consoles, tasks, web apps and websites.

mod always_on;
mod console;
mod cpu;
mod launcher;
mod logs;
mod processes;
mod python;
mod run;
mod scheduler;
mod screen;
mod supervisor;
mod task_times;
mod terminate;
mod webapp_config;
mod webapp_worker;
mod website;

pub use always_on::{AlwaysOn, AlwaysOnTask};
pub use console::{Console, Consoles};
pub use cpu::CpuMeter;
pub use launcher::{Launcher, Session};
pub use logs::{Logs, site_log};
pub use processes::Processes;
pub use scheduler::Schedule;
pub use screen::{Line, Screen, ScreenContent};
pub use task_times::{Interval, ScheduledTask};
pub use webapp_config::{StaticFile, StaticHeader, WebApp, WebApps, wsgi_path};
pub use webapp_worker::{StartError, WebAppWorkers, WorkerGuard};
pub use website::{RunningWebsite, Website, Websites};
