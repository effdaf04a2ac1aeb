//! `-v`: log records on stderr.
//!
//! In the extension module another logger may be in place already, one that hands the records to Python's `logging`;
//! then only the level is set here, and that logger decides what is shown.

use super::terminal::print_line;
use log::{LevelFilter, Log, Metadata, Record};

struct Stderr;

/// A request is information for whoever asked for more, not a trace of the program.
fn level_name(level: log::Level) -> String {
    if level == log::Level::Trace { "request".to_owned() } else { level.as_str().to_lowercase() }
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Records of other crates (connections, TLS) are noise unless you debug those.
        metadata.target().starts_with("pythonanywhere_api") || metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            print_line(&format!("{}: {}", level_name(record.level()), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Shows warnings, and everything of ours, each request included, if `verbose` is not 0.
pub fn start(verbose: u8) {
    // An error means that another logger is in place.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(if verbose == 0 { LevelFilter::Warn } else { LevelFilter::Trace });
}
