//! What differs between operating systems, behind one interface.
//!
//! Everything else is written once: it asks here, and has no condition on the system of its own (a test looks for them).
//! Only the keyring has a file of its own, and the emulator, which starts processes in terminals and namespaces of Unix, is
//! left out as a whole elsewhere. Each file has one topic with the variants side by side, so that what one system does can
//! be held against what another does.

mod beneath;
mod files;
mod names;
mod process;
mod signals;
mod terminal;

pub(crate) use beneath::Folder;
pub(crate) use files::{
    canonical, check_private, is_own, make_private, mode_of, open_unlinked, set_new_mode, special, temporary_folder,
    try_lock,
};
pub(crate) use names::{NameRules, composed, slashed};
pub(crate) use process::{boot_identity, started};
pub(crate) use signals::{Signal, Signals};
pub(crate) use terminal::{Hidden, has_display, read_hidden, width};
