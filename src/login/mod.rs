//! Logins: the API tokens that a person gave `pya login`, each for one account of one host.
//!
//! Only the command `pya` knows of them. A program that uses the crate, or the Python package, sends the token that it was
//! given and no other: what a person typed once at their keyboard must not turn up in a server's requests. For the same
//! reason a login is found by host and user together, and its token goes to that host for that user or nowhere.
//!
//! A list in the configuration folder says which logins there are. Their tokens are in the system's keyring, or in the
//! list itself where no keyring answers; so a machine without logins never asks its keyring.
//!
//! | file | duty |
//! |---|---|
//! | `store` | finding, saving and forgetting logins |
//! | `list` | the list, a file that nobody else may read |
//! | `lock` | who may change the list |
//! | `keyring` | the system's keyring, and how long it may take |
//! | `attempt` | trying a token at each host |

mod attempt;
mod keyring;
mod list;
mod lock;
mod store;

pub use attempt::{Attempt, attempt};
pub use store::{Forgotten, Login, Place, Waiting, find, forget, logins, save};
