//! Both sides compared: the listing of the host, the comparison, and the diff that a deploy builds on.

pub(super) mod compare;
pub(super) mod links;
pub(super) mod listing;
pub(super) mod live_data;
pub(super) mod model;
pub(super) mod renames;
pub(super) mod snapshot;
