//! Files of the host brought here, as one archive.

mod archive;
pub(in crate::deploy) mod fetch;
pub(in crate::deploy) mod masks;
pub(in crate::deploy) mod unpack;
