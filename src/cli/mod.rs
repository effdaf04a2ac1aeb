//! The command `pya`.
