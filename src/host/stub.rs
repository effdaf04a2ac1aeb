//! The stub that the agent's installation puts into the WSGI file: recognising, writing and comparing it.

use super::sign::VERSION;

const TEMPLATE: &str = include_str!("stub.py");

/// The beginning of the first line, in every version of the stub.
const MARK: &str = "# pythonanywhere-api agent ";

/// What surrounds the original in a stub, where each of its lines is a quoted string.
const ORIGINAL_BEGINS: &str = "\n_pya_original = \"\".join(\n    [\n";
const ORIGINAL_ENDS: &str = "    ]\n";
const PLACEHOLDER: &str = "        \"@ORIGINAL@\",\n";

/// A stub in a WSGI file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stub {
    pub version: u32,
    /// The agent's id.
    pub id: String,
    /// The original WSGI file, if the stub still contains it.
    pub original: Option<String>,
}

impl Stub {
    /// The stub that `text` begins with, if there is one.
    pub fn find(text: &str) -> Option<Self> {
        let (version, rest) = text.lines().next()?.strip_prefix(MARK)?.split_once(' ')?;
        let id = rest.split(':').next()?.to_owned();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(Self { version: version.parse().ok()?, id, original: original_in(text) })
    }
}

/// The original that a stub contains.
fn original_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(ORIGINAL_BEGINS)?;
    let (lines, _) = rest.split_once(ORIGINAL_ENDS)?;
    lines.lines().map(|line| serde_json::from_str::<String>(line.strip_suffix(',')?).ok()).collect()
}

/// The text of this version's stub, which runs `original`.
pub(super) fn text(domain: &str, id: &str, original: &str) -> String {
    // A JSON string means the same in Python.
    let quoted = |line: &str| format!("        {},\n", serde_json::to_string(line).expect("a text makes JSON"));
    let lines: String = original.split_inclusive('\n').map(quoted).collect();
    // The original comes last, since it may contain anything.
    TEMPLATE
        .replace("@VERSION@", &VERSION.to_string())
        .replace("@ID@", id)
        .replace("@DOMAIN@", domain)
        .replace(PLACEHOLDER, &lines)
}

/// How a text differs from another, as `diff -u` shows it.
pub(super) fn difference(installed: &str, found: &str) -> String {
    similar::TextDiff::from_lines(installed, found).unified_diff().header("as installed", "as it is").to_string()
}

/// Whether a text may be a stub that was cut off within its first line, or emptied.
pub(super) fn may_be_cut_off(text: &str) -> bool {
    !text.contains('\n') && (MARK.starts_with(text) || text.starts_with(MARK))
}

/// Whether a text is an installed stub to which nothing was added, and which contains no change of the original: it was
/// cut off, or lines of ours are missing or differ.
pub(super) fn is_damaged(installed: &str, found: &str) -> bool {
    let is_cut_off = installed.starts_with(found);
    let is_ours = original_in(found).is_some() && original_in(found) == original_in(installed);
    let adds = |change: &similar::DiffOp| change.new_range().len() > change.old_range().len();
    is_cut_off || is_ours && !similar::TextDiff::from_lines(installed, found).ops().iter().any(adds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_stub_is_recognised_by_its_first_line() {
        let text = text("www.example.com", ID, "import sys\n");
        let original = Some("import sys\n".to_owned());
        assert_eq!(Stub::find(&text), Some(Stub { version: VERSION, id: ID.to_owned(), original }));
        assert!(!text.contains('@'), "{text}");
        for other in ["", "import sys\n", "# pythonanywhere-api agent x y:", "# pythonanywhere-api agent 1 short: x"] {
            assert_eq!(Stub::find(other), None, "{other}");
        }
    }

    #[test]
    fn a_stub_holds_the_original_whatever_it_is() {
        let everything: String = (0..0x3000).filter_map(char::from_u32).chain(['\u{feff}', '\u{1f389}']).collect();
        let nested = text("www.example.com", ID, "x = 1\n");
        let originals =
            ["", "\n", "x", "x\n", "x\r\ny\r\n", "a = '''\n)\n'''\n", "\\\"\n@ID@ @ORIGINAL@", &everything, &nested];
        for original in originals {
            let stub = Stub::find(&text("www.example.com", ID, original));
            assert_eq!(stub.and_then(|stub| stub.original).as_deref(), Some(original));
        }
    }

    #[test]
    fn damage_is_told_from_an_edit() {
        let whole = text("www.example.com", ID, "x = 1\ny = 2\n");
        for damaged in [
            &whole[..whole.len() / 2],
            &whole[..100],
            "",
            &whole.replace("_pya_wrap = _pya_agent", "_pya_wrap = 0"),
            &whole.replace("application = _pya_wrap", "\0\0\0\0\0"),
            &whole.replace("        exec(compile(_pya_file.read()", "        x(y(_pya_file.read()"),
        ] {
            assert!(is_damaged(&whole, damaged), "{damaged}");
        }
        for edited in [
            format!("{whole}# mine\n"),
            whole.replace("y = 2", "y = 3"),
            whole.replace("        \"y = 2\\n\",\n", ""),
            whole.replace("try:\n", "import mine\ntry:\n"),
        ] {
            assert!(!is_damaged(&whole, &edited), "{edited}");
        }
        for (text, may_be) in
            [("", true), ("# python", true), (&whole[..40], true), ("# other", false), (&whole, false)]
        {
            assert_eq!(may_be_cut_off(text), may_be, "{text}");
        }
    }

    #[test]
    fn a_stub_whose_original_was_edited_into_no_text_holds_none() {
        let text = text("www.example.com", ID, "x = 1\n").replace("\"x = 1", "x = 1");
        assert_eq!(Stub::find(&text).map(|stub| stub.original), Some(None));
    }
}
