//! The cryptography behind TLS, which rustls wants named once for the process.
//!
//! It is ring: pure enough to build with a C compiler alone, on every platform that has wheels.

use std::sync::Once;

/// Names the provider, unless somebody has.
pub(crate) fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that the process has one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
