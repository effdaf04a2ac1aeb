//! Integration tests in one binary, a module for each topic.

mod deploy;
mod emulator_faults;
mod emulator_files;
mod emulator_host;
mod emulator_processes;
mod emulator_sharing;
mod emulator_throttle;
mod emulator_tls;
mod engine;
mod script;

/// TLS needs a provider of cryptography, named once for the process.
fn provider() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // An error means that the client has named it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
