//! Recursive search of remote files with masks.
//!
//! ```
//! use pythonanywhere_api::finder::Mask;
//!
//! let mask = Mask::parse("**/migrations/*.py")?;
//! assert!(mask.matches("blog/migrations/0001_initial.py"));
//! assert!(!mask.matches("blog/models.py"));
//! # Ok::<(), pythonanywhere_api::Error>(())
//! ```

mod entry;
mod failures;
mod mask;
mod pattern;
mod remote;
mod walk;

pub use entry::{Lister, NeverSkip, Skipper};
pub use failures::failures_text;
pub use mask::{Mask, Matches};
pub use pattern::Pattern;
pub use remote::RemoteLister;
pub use walk::{DEFAULT_CONCURRENCY, Found, Walk, find};
