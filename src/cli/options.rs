//! The options that every command has, and the values that both options and the table in `pyproject.toml` take.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::deploy::{Compare, ExecutorChoice};

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The service: a host name, or a URL such as http://127.0.0.1:8000 [default: www.pythonanywhere.com]
    #[arg(long, global = true, value_name = "HOST")]
    pub host: Option<String>,
    /// Name of the account
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// Read the API token from this file instead of $API_TOKEN or the login
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Environment in pyproject.toml, such as staging: [tool.pythonanywhere.env.NAME] overrides keys of the table
    #[arg(long, global = true, value_name = "NAME", env = "PYA_ENV", hide_env_values = true)]
    pub env: Option<String>,
    /// Name of the project, which is its folder in the account's home folder
    #[arg(long, global = true, value_name = "NAME")]
    pub project: Option<String>,
    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Log each request to stderr
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Requests per minute and endpoint, or "off" [default: 40, the documented limit]
    #[arg(long, global = true, value_name = "N|off")]
    pub rate_limit: Option<String>,
    /// Give up a request after this many seconds without data [default: 10 to connect, then 60]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,
}

impl ValueEnum for Compare {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl ValueEnum for ExecutorChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// A positive number of seconds.
pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.001..1e6).contains(&value) => Ok(value),
        _ => Err("not a positive number of seconds".to_owned()),
    }
}
