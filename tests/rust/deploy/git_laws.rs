//! In a git work tree the selection is what `git ls-files -co --exclude-standard` says, for any rules and names.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Site, git};

/// Names with what is special in a pattern, in two cases, and none that is left out or protected anyway.
const NAMES: [&str; 14] =
    ["a", "A", "b", "b1", "ab.log", "AB.LOG", "{a}", "x y", "[z]", "a\\b", "!n", "t\t", "n ", "a*"];

const PIECES: [&str; 24] = [
    "a",
    "A",
    "b",
    "*",
    "**",
    "/",
    "/",
    "!",
    "?",
    "[a-z]",
    "[[:digit:]]",
    "[[:upper:]]",
    "{",
    "}",
    "{a,b}",
    "{}",
    ".log",
    " ",
    "\t",
    "\\",
    "[",
    "]",
    "#",
    "x y",
];

#[derive(Debug, Clone)]
struct Case {
    files: BTreeSet<String>,
    /// Folder to rules; `.git/info` and `.git/own` are git's own places.
    rules: Vec<(&'static str, String)>,
    added: Vec<prop::sample::Index>,
    /// Whether git takes names that differ in case for the same.
    folds: bool,
}

fn pattern() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 1..5).prop_map(|pieces| pieces.concat())
}

fn case() -> impl Strategy<Value = Case> {
    let path = prop::collection::vec(prop::sample::select(&NAMES[..]), 1..4).prop_map(|names| names.join("/"));
    let files = prop::collection::vec(path, 1..16).prop_map(|paths| {
        let mut files: BTreeSet<String> = BTreeSet::new();
        for path in paths {
            let is_other =
                |other: &String| !other.starts_with(&format!("{path}/")) && !path.starts_with(&format!("{other}/"));
            if files.iter().all(is_other) {
                files.insert(path);
            }
        }
        files
    });
    let place = prop::sample::select(&["", "", "a", "A", "b", ".git/info", ".git/own"][..]);
    let rules =
        prop::collection::vec((place, prop::collection::vec(pattern(), 1..4).prop_map(|lines| lines.join("\n"))), 0..4);
    let added = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (files, rules, added, any::<bool>()).prop_map(|(files, rules, added, folds)| Case { files, rules, added, folds })
}

fn set_up(case: &Case) -> Site {
    let site = Site::new(&[("manage.py", "")]);
    for file in &case.files {
        site.put(file, "");
    }
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["config", "core.ignorecase", if case.folds { "true" } else { "false" }]);
    git(site.root(), &["config", "core.excludesFile", site.root().join(".git/own").to_str().unwrap()]);
    let files: Vec<&String> = case.files.iter().collect();
    for index in &case.added {
        let file: &&String = index.get(&files);
        git(site.root(), &["--literal-pathspecs", "add", "-f", "--", file]);
    }
    for (place, text) in &case.rules {
        match *place {
            ".git/info" => site.put(".git/info/exclude", text),
            ".git/own" => site.put(".git/own", text),
            folder if site.root().join(folder).is_dir() => {
                site.put(format!("{folder}/.gitignore").trim_start_matches('/'), text);
            }
            _ => {}
        }
    }
    site
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_selection_is_what_git_lists(case in case()) {
        let site = set_up(&case);
        let listed = git(site.root(), &["ls-files", "-z", "-c", "-o", "--exclude-standard"]);
        let expected: BTreeSet<String> = listed
            .split(|&byte| byte == 0)
            .map(|name| String::from_utf8(name.to_vec()).unwrap())
            // With ignorecase, git may track a file in a folder that is spelled otherwise here.
            .filter(|name| !name.is_empty() && site.root().join(name).is_file())
            .collect();
        let work = site.compare(None);
        let found = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
        match found {
            Ok(found) => prop_assert_eq!(found.added.into_iter().collect::<BTreeSet<_>>(), expected),
            // Nothing is left, and that is said.
            Err(error) => prop_assert!(expected.is_empty(), "{}", error),
        }
    }

    #[test]
    fn what_is_only_on_the_host_is_judged_as_if_it_were_here(case in case()) {
        // With ignorecase, a name that git tracks in another spelling is not listed, though no rule matches it.
        let case = Case { folds: false, ..case };
        let site = set_up(&case);
        let listed = git(site.root(), &["ls-files", "-z", "-o", "--exclude-standard"]);
        let untracked: BTreeSet<&[u8]> = listed.split(|&byte| byte == 0).filter(|name| !name.is_empty()).collect();
        let tracked = git(site.root(), &["ls-files", "-z", "-c"]);
        let tracked: BTreeSet<&[u8]> = tracked.split(|&byte| byte == 0).collect();
        let gone: Vec<&String> = case.files.iter().filter(|path| !tracked.contains(path.as_bytes())).collect();
        let expected: BTreeSet<String> = gone.iter().copied()
            .filter(|path| untracked.contains(path.as_bytes())).cloned().collect();
        for path in gone {
            site.model.host().put(path, "x");
            site.remove(path);
        }
        let work = site.compare(Some(pythonanywhere_api::deploy::Compare::Names));
        let found = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
        if let Ok(found) = found {
            prop_assert_eq!(found.unmanaged.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
