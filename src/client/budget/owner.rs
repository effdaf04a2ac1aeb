//! The owner of a rate budget: the service counts by account, so two accounts on one host never wait for each other.

/// The owner of a budget: one account on one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub host: String,
    pub user: String,
    /// Whether other processes of this machine share it through the cache folder (not on loopback).
    pub shared: bool,
}
