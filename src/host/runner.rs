//! The runner: our Python package for the host, uploaded as one zip archive, which Python can both run and import.
//!
//! It is one archive because the API takes one file per request, and its modules are one member of it, which is a third
//! smaller than a member for each. It is packed when it is first needed, rather than when the crate is built, which would
//! take a build script.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// The name of the archive on the host.
pub(super) const FILE_NAME: &str = "runner.pyz";

macro_rules! sources {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("runner/", $name)))),*] };
}

/// What Python finds in the archive without our help.
const FILES: [(&str, &str); 2] = sources!["__main__.py", "pya_runner/__init__.py"];

/// The member with the other modules, a JSON object of texts by name.
const MODULES_FILE: &str = "pya_runner/modules.json";

macro_rules! modules {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("runner/pya_runner/", $name, ".py")))),*] };
}

/// The other modules and their texts.
const MODULES: [(&str, &str); 24] = modules![
    "announce",
    "apply",
    "archive",
    "commands",
    "copies",
    "entry",
    "errors",
    "files",
    "history",
    "inspect",
    "job",
    "limits",
    "names",
    "planner",
    "reach",
    "redact",
    "requirements",
    "retention",
    "rollback",
    "state",
    "transaction",
    "tree",
    "variables",
    "venv",
];

/// The members of the archive.
static MEMBERS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let modules: BTreeMap<&str, String> = MODULES.into_iter().map(|(name, text)| (name, code(text))).collect();
    let mut members: Vec<_> = FILES.into_iter().map(|(name, text)| (name, code(text))).collect();
    members.push((MODULES_FILE, serde_json::to_string(&modules).expect("texts are JSON")));
    members
});

static ARCHIVE: LazyLock<Bytes> = LazyLock::new(|| zip(&MEMBERS).into());

/// A source without comments and docstrings, which would be a quarter of the archive, and indented by one space a level.
/// Lines keep their numbers, so that a traceback from the host leads to the source here.
fn code(text: &str) -> String {
    const QUOTES: &str = "\"\"\"";
    const INDENT: usize = 4;
    let (mut is_inside, mut is_text) = (false, false);
    let line = |line: &str| {
        let (content, indent) = (line.trim(), (line.len() - line.trim_start().len()) / INDENT);
        if is_inside {
            is_inside = !content.ends_with(QUOTES);
            String::new()
        } else if is_text {
            is_text = !content.contains(QUOTES);
            line.to_owned()
        } else if content.starts_with('#') {
            String::new()
        } else if let Some(rest) = content.strip_prefix(QUOTES) {
            is_inside = !rest.ends_with(QUOTES);
            // It may be all that a class has.
            format!("{}\"\"", &line[..indent])
        } else {
            is_text = content.contains(QUOTES);
            format!("{}{}", &line[..indent], line.trim_start())
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The archive; it is packed once per process.
pub(super) fn archive() -> Bytes {
    ARCHIVE.clone()
}

/// The digest of the code on the host, as the agent computes it for its own files: of names and sources, since another
/// version of the compressor may produce other bytes.
pub(super) fn build(agent: &str) -> String {
    let framed = |(name, text): (&str, &str)| format!("{name} {}\n{text}", text.len());
    let code = MEMBERS.iter().map(|(name, text)| (*name, text.as_str()));
    let files = std::iter::once(("agent.py", agent)).chain(code);
    crate::digest::sha256(files.map(framed).collect::<String>())
}

const VERSION: u16 = 20;
/// The version, and that the file's mode bits are those of Unix.
const MADE_BY: u16 = 3 << 8 | VERSION;
const DEFLATED: u16 = 8;
/// 1 January 1980 at midnight, the first moment that zip archives know: always the same, so that the archive is, too.
const TIME: u16 = 0;
const DATE: u16 = 1 << 5 | 1;
/// A regular file that everybody may read, in the upper half, where Unix has it.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// Packs a zip archive, using those parts of the format that a few small files with ASCII names need.
///
/// The fields are in the order of the [specification](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT),
/// sections 4.3.7, 4.3.12 and 4.3.16. It is written here since a crate for the whole format (encryption, six ways to
/// compress, files over 4 GiB) would be a hundred times as long as this, with four more crates behind it.
fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let offset = length(&archive);
        let content = deflated(text.as_bytes());
        let facts = facts(name, text.as_bytes(), &content);
        archive.extend([&b"PK\x03\x04"[..], &facts, name.as_bytes(), &content].concat());
        directory.extend(entry(name, &facts, offset));
    }
    let start = length(&archive);
    let count = short(files.len());
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06");
    put16(&mut archive, &[0, 0, count, count]);
    put32(&mut archive, &[length(&directory), start]);
    put16(&mut archive, &[0]);
    archive
}

/// What both a file's own header and its entry in the directory say.
fn facts(name: &str, text: &[u8], content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(text);
    let mut facts = Vec::new();
    put16(&mut facts, &[VERSION, 0, DEFLATED, TIME, DATE]);
    put32(&mut facts, &[crc.sum(), length(content), length(text)]);
    put16(&mut facts, &[short(name.len()), 0]);
    facts
}

/// A file's entry in the directory.
fn entry(name: &str, facts: &[u8], offset: u32) -> Vec<u8> {
    let mut entry = b"PK\x01\x02".to_vec();
    put16(&mut entry, &[MADE_BY]);
    entry.extend_from_slice(facts);
    // No comment, the first disk, no internal attributes.
    put16(&mut entry, &[0, 0, 0]);
    put32(&mut entry, &[ATTRIBUTES, offset]);
    entry.extend_from_slice(name.as_bytes());
    entry
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

fn put16(to: &mut Vec<u8>, numbers: &[u16]) {
    to.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn put32(to: &mut Vec<u8>, numbers: &[u32]) {
    to.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("the runner is far below 4 GiB")
}

fn short(number: usize) -> u16 {
    u16::try_from(number).expect("names and files are few")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// That Python reads it, and what is in it, is tested where Python is: with the archive that a client uploads.
    #[test]
    fn the_archive_is_the_same_each_time_and_small() {
        assert_eq!(zip(&MEMBERS), archive());
        assert!(archive().len() < 30_000, "{} bytes", archive().len());
    }

    #[test]
    fn comments_and_docstrings_are_not_packed_and_lines_keep_their_numbers() {
        let source = "\"\"\"Module.\n\nMore.\n\"\"\"\nclass A:\n    \"\"\"Nothing else.\"\"\"\n    # why\n    b = \"#\"  # how\n    def c():\n        x = \"\"\"\n    y\"\"\"\n";
        assert_eq!(
            code(source),
            "\"\"\n\n\n\nclass A:\n \"\"\n\n b = \"#\"  # how\n def c():\n  x = \"\"\"\n    y\"\"\"\n"
        );
    }

    #[test]
    fn every_module_is_in_the_archive() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host/runner/pya_runner");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "py") {
                found.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
            }
        }
        found.retain(|name| name != "__init__");
        found.sort();
        assert_eq!(found, MODULES.map(|(name, _)| name));
    }

    #[test]
    fn the_build_tells_every_file_and_its_name() {
        let build = build("agent");
        assert_ne!(build, super::build("agent "));
        assert_eq!(build.len(), 64);
    }
}
