//! The WSGI file as the agent's installation leaves it: recognised, made, compared.

use super::sign::VERSION;

const TEMPLATE: &str = include_str!("stub.py");

/// How the first line of every version's stub begins.
const MARK: &str = "# pythonanywhere-api agent ";

/// A stub in a WSGI file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stub {
    pub version: u32,
    /// The agent's id.
    pub id: String,
}

impl Stub {
    /// The stub that `text` begins with, if it does.
    pub fn find(text: &str) -> Option<Self> {
        let (version, rest) = text.lines().next()?.strip_prefix(MARK)?.split_once(' ')?;
        let id = rest.split(':').next()?.to_owned();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(Self { version: version.parse().ok()?, id })
    }
}

/// The text of this version's stub.
pub(super) fn text(domain: &str, id: &str) -> String {
    TEMPLATE.replace("@VERSION@", &VERSION.to_string()).replace("@ID@", id).replace("@DOMAIN@", domain)
}

/// How a text differs from another, as `diff -u` shows it.
pub(super) fn difference(installed: &str, found: &str) -> String {
    similar::TextDiff::from_lines(installed, found).unified_diff().header("as installed", "as it is").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_is_recognised_by_its_first_line() {
        let id = "0123456789abcdef0123456789abcdef";
        let text = text("www.example.com", id);
        assert_eq!(Stub::find(&text), Some(Stub { version: VERSION, id: id.to_owned() }));
        assert!(!text.contains('@'), "{text}");
        for other in ["", "import sys\n", "# pythonanywhere-api agent x y:", "# pythonanywhere-api agent 1 short: x"] {
            assert_eq!(Stub::find(other), None, "{other}");
        }
    }
}
