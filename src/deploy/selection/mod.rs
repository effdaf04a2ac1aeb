//! The local side: which files a deploy is about, what rules leave out, and what is protected.

pub(super) mod filter;
pub(super) mod git;
pub(super) mod ignore;
pub(super) mod machine;
pub(super) mod open;
pub(super) mod protect;
pub(super) mod read;
pub(super) mod select;
pub(super) mod walk;
