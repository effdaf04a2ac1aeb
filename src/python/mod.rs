//! The extension module: threads, signals, exceptions, classes.
