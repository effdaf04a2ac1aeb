//! Laws that hold for any project: what was deployed shows no difference, and cuts lose nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pythonanywhere_api::deploy::{Compare, DeployOptions, with_unmanaged};

use super::{Site, deleting};
use pythonanywhere_api::finder::NeverSkip;

/// A project's files: few names, so that files and folders collide.
fn tree() -> impl Strategy<Value = BTreeMap<String, String>> {
    let path = prop::collection::vec(prop::sample::select(vec!["a", "b", "c#?", "d%2F"]), 1..4);
    let entries = prop::collection::vec((path, "[xyz]{0,2}"), 1..12);
    entries.prop_map(|entries| {
        let mut tree: BTreeMap<String, String> = BTreeMap::new();
        for (path, content) in entries {
            let path = path.join("/");
            let collides = tree
                .keys()
                .any(|other| other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/")));
            if !collides {
                tree.insert(path, content);
            }
        }
        tree
    })
}

fn set(site: &Site, tree: &BTreeMap<String, String>) {
    for entry in std::fs::read_dir(site.root()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    for (path, content) in tree {
        site.put(path, content);
    }
}

fn run<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn options() -> DeployOptions {
    DeployOptions { max_delete: Some(100), ..deleting() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_deployed_shows_no_difference(trees in prop::collection::vec(tree(), 1..4)) {
        run(async {
            let site = Site::new(&[]);
            for tree in &trees {
                set(&site, tree);
                let found = site.diff().await;
                let report = site.deploy(&found, &options()).await;
                assert!(report.ok, "{report:?}");
                assert_eq!(site.model.host().project(), site.local());
                assert!(site.diff().await.is_clean());
            }
        });
    }

    #[test]
    fn cuts_lose_nothing(trees in prop::collection::vec((tree(), 0_usize..40, any::<bool>()), 1..5), last in tree()) {
        run(async {
            let site = Site::new(&[]);
            for (tree, cut, has_effect) in &trees {
                set(&site, tree);
                let from = site.model.host().log.len();
                site.model.host().cut = Some((from + cut, *has_effect));
                tokio::select! {
                    biased;
                    _ = async { site.run(&options()).await } => {}
                    () = async { while site.model.host().log.len() <= from + cut { tokio::task::yield_now().await } } => {}
                }
                site.model.host().cut = None;
            }
            set(&site, &last);
            // What a cut-off deploy put there and nobody noted is the one thing that may be left over.
            let report = site.run(&options()).await;
            let host = site.model.host().project();
            for (path, content) in site.local() {
                assert!(report.failed.contains_key(&path) || host.get(&path) == Some(&content), "{path}: {report:?}");
            }
            if report.ok {
                let again = site.compare(Some(Compare::Content)).await.unwrap();
                assert!(again.added.is_empty() && again.changed.is_empty() && again.removed.is_empty(), "{again}");
            } else {
                assert!(!report.failed.is_empty() || report.stopped.is_some(), "nothing says why: {report:?}");
            }
        });
    }

    #[test]
    fn a_dry_run_lists_what_the_run_does_and_then_nothing_differs(
        trees in prop::collection::vec((tree(), any::<bool>(), any::<bool>()), 1..4),
        theirs in prop::collection::btree_set(r"[e-g]/(db\.sqlite3|x|y)", 0..6),
        databases in prop::collection::btree_set("h/[a-c]", 0..3),
    ) {
        run(async {
            let site = Site::new(&[]);
            for (tree, delete, delete_unmanaged) in &trees {
                set(&site, tree);
                for path in &theirs {
                    site.model.host().put(path, "theirs");
                }
                for path in &databases {
                    site.model.host().put(path, "SQLite format 3\0 and more");
                }
                let found = with_unmanaged(&site.project(), &site.diff().await, &NeverSkip).await.unwrap();
                let options =
                    DeployOptions { delete: *delete, delete_unmanaged: *delete_unmanaged, max_delete: Some(100), ..options() };
                let dry = site.deploy(&found, &DeployOptions { dry_run: true, ..options.clone() }).await;
                let before = site.model.host().project();
                let report = site.deploy(&found, &options).await;
                assert!(report.ok, "{report:?}");
                assert_eq!(dry.changes(), report.changes());
                assert_eq!(dry.protected, report.protected);
                // What the list says goes is what went, and nothing else.
                let after = site.model.host().project();
                let gone: Vec<&str> = before.keys().filter(|path| !after.contains_key(*path)).map(String::as_str).collect();
                let mut listed: Vec<&str> =
                    dry.changes().into_iter().filter(|change| change.letter == 'D').map(|change| change.path).collect();
                // A file that made way for a folder of its name is gone, and one that went and came is not.
                listed.retain(|path| !after.contains_key(*path));
                listed.sort_unstable();
                assert_eq!(listed, gone);
                for path in databases.iter().chain(theirs.iter().filter(|path| path.ends_with("sqlite3"))) {
                    assert!(after.contains_key(path), "{path}");
                }
                let again = site.diff().await;
                assert!(again.plan().actions.is_empty() && again.added.is_empty() && again.changed.is_empty(), "{again}");
            }
        });
    }
}
