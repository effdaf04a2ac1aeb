//! Recursive search of remote files with masks.
