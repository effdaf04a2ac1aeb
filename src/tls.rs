//! The cryptography behind TLS, which rustls requires once per process.
//!
//! It is ring: it builds with nothing but a C compiler, on every platform that has wheels.

use std::sync::Once;

/// Installs the provider, unless there is one already.
pub(crate) fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that the process has one already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
