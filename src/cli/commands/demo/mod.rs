//! `pya demo`: deploys of a real site, without an account.

mod host;
mod site;
mod story;

pub use story::run;
