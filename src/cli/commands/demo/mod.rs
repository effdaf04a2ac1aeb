//! `pya demo`: the main job on a real site, without an account.

mod host;
mod site;
mod story;

pub use story::run;
