//! What messages must not show: sessions and passwords.
//!
//! A server may repeat what it was sent in a fault or an error page, so the secrets of the call are masked in the
//! server's texts before those are passed on.

use dxr::Value;
use secrecy::{ExposeSecret, SecretString};

use super::calls::WebfactionCall;

/// Shorter secrets would hide half of every text, and protect nothing.
const SHORTEST: usize = 3;

/// The secrets of one call.
pub(super) struct Secrets(crate::client::Secrets);

impl Secrets {
    /// The session, and the arguments of parameters that take a password.
    pub(super) fn of(call: Option<&WebfactionCall>, session: Option<&SecretString>, arguments: &[Value]) -> Self {
        let parameters = call.map_or(&[][..], |call| call.parameters);
        let passwords = parameters.iter().zip(arguments).filter_map(|(parameter, value)| match value {
            Value::String(text) if parameter.is_secret() => Some(SecretString::from(text.as_str())),
            _ => None,
        });
        let all = session.cloned().into_iter().chain(passwords);
        Self(crate::client::Secrets::known(all.filter(|secret| secret.expose_secret().len() >= SHORTEST)))
    }

    /// The text with `***` for each secret.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0.mask(text, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webfaction::find;

    #[test]
    fn texts_lose_session_and_passwords() {
        let session = SecretString::from("5e551011");
        let arguments = ["me", "hunter2"].map(|text| Value::String(text.to_owned()));
        let secrets = Secrets::of(find("login"), Some(&session), &arguments);
        assert_eq!(secrets.hide("me with hunter2 in 5e551011"), "me with *** in ***");
        assert_eq!(Secrets::of(None, None, &arguments).hide("hunter2"), "hunter2");
    }
}
