//! What deploys cost and in which order they send.

use pythonanywhere_api::deploy::{Action, Compare, DeployOptions};

use super::{Site, deleting};

fn site() -> Site {
    Site::new(&[("a.py", "1"), ("b.py", "2"), ("pkg/c.py", "3"), ("pkg/d.py", "4"), (".htaccess", "5")])
}

#[tokio::test]
async fn an_unchanged_project_costs_two_requests() {
    let site = site();
    assert!(site.run(&DeployOptions::default()).await.ok);
    site.model.host().log.clear();
    let diff = site.diff().await;
    assert!(diff.is_clean(), "{diff}");
    let report = site.deploy(&diff, &DeployOptions { reload: vec!["x.y".into()], ..deleting() }).await;
    assert!(report.ok && report.requests == 0 && report.plan.requests == 0);
    assert_eq!(site.model.host().log.len(), 2);
}

#[tokio::test]
async fn a_first_deploy_uploads_everything_and_leaves_one_manifest() {
    let site = site();
    let report = site.run(&DeployOptions { reload: vec!["x.y".into()], ..DeployOptions::default() }).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.uploaded.len(), 5);
    assert_eq!(report.reloaded, ["x.y"]);
    assert_eq!(usize::try_from(report.requests).unwrap(), report.plan.requests);
    assert!(report.requests <= 5 + 6 + 1, "{report:?}");
    let host = site.model.host();
    assert_eq!(host.project(), site.local());
    assert_eq!(host.notes(), ["manifest-1.json"]);
}

#[tokio::test]
async fn changes_and_deletes_stay_within_their_requests() {
    let site = site();
    site.run(&DeployOptions::default()).await;
    site.put("a.py", "changed");
    site.put("new.py", "new");
    site.remove("pkg/d.py");
    site.model.host().log.clear();
    let diff = site.diff().await;
    assert_eq!(diff.to_string(), "M  a.py\nA  new.py\nD  pkg/d.py");
    let report = site.deploy(&diff, &deleting()).await;
    assert!(report.ok, "{report:?}");
    // Two changed, one deleted, one folder that loses a file; the diff included.
    assert!(site.model.host().log.len() <= 2 + 1 + 6 + 1, "{report:?}");
    assert_eq!(usize::try_from(report.requests).unwrap(), report.plan.requests);
    assert_eq!(report.deleted, ["pkg/d.py"]);
    let host = site.model.host();
    assert_eq!(host.project(), site.local());
    assert_eq!(host.notes(), ["manifest-1.json", "manifest-2.json"]);
}

#[tokio::test]
async fn folders_that_lose_their_last_file_are_in_the_plan() {
    for (gone, folders) in [
        (&["y/z/a.py"][..], 2),
        (&["y/z/a.py", "y/w/b.py"], 3),
        (&["y/z/a.py", "y/w/b.py", "y/c.py"], 3),
        (&["pkg/d.py", "y/z/a.py"], 1),
    ] {
        let mut files = vec![("a.py", "1"), ("pkg/c.py", "3"), ("pkg/d.py", "4")];
        files.extend(gone.iter().filter(|path| path.starts_with('y')).map(|path| (*path, "0")));
        if folders == 1 {
            files.push(("y/stays.py", "0"));
        }
        let site = Site::new(&files);
        site.run(&DeployOptions::default()).await;
        for path in gone {
            site.remove(path);
        }
        site.model.host().log.clear();
        let report = site.run(&deleting()).await;
        assert!(report.ok, "{report:?}");
        assert_eq!(usize::try_from(report.requests).unwrap(), report.plan.requests, "{gone:?}: {:?}", report.plan);
        let losing: std::collections::BTreeSet<_> = gone.iter().map(|path| path.rsplit_once('/').unwrap().0).collect();
        // A listing and a delete for each folder that goes.
        let most = gone.len() + 6 + losing.len() + 2 * folders;
        assert!(site.model.host().log.len() <= most, "{gone:?}: {:?}", site.model.host().log);
        assert_eq!(site.model.host().project(), site.local());
    }
}

#[tokio::test]
async fn the_order_is_intent_listing_uploads_manifest_reload_deletes_intent() {
    let site = site();
    site.run(&DeployOptions::default()).await;
    site.put("a.py", "changed");
    site.remove("pkg/d.py");
    let diff = site.diff().await;
    site.model.host().log.clear();
    site.deploy(&diff, &DeployOptions { reload: vec!["x.y".into()], ..deleting() }).await;
    let steps: Vec<String> = site
        .model
        .host()
        .log
        .iter()
        .map(|(method, path)| {
            let name = path.rsplit('/').next().unwrap();
            format!("{method} {}", name.split_once('-').map_or(name, |(kind, _)| kind))
        })
        .collect();
    assert_eq!(steps[0], "POST intent");
    assert!(steps[1].starts_with("LIST "));
    assert_eq!(steps[2..], ["POST a.py", "POST manifest", "RELOAD x.y", "LIST pkg", "DELETE d.py", "DELETE intent"]);
}

#[tokio::test]
async fn replaced_manifests_are_removed_together() {
    let site = site();
    for number in 0..9 {
        site.put("a.py", &format!("{number}"));
        assert!(site.run(&DeployOptions::default()).await.ok);
    }
    assert_eq!(site.model.host().notes(), ["manifest-9.json"]);
    assert!(site.diff().await.is_clean());
}

#[tokio::test]
async fn a_dry_run_shows_the_same_plan_and_sends_nothing() {
    let site = site();
    let diff = site.diff().await;
    let sent = site.model.host().log.len();
    let dry = site.deploy(&diff, &DeployOptions { dry_run: true, ..deleting() }).await;
    assert!(dry.ok && dry.uploaded.is_empty() && dry.dry_run);
    assert_eq!(site.model.host().log.len(), sent);
    assert!(site.model.host().files.is_empty());
    assert_eq!(dry.plan, site.deploy(&diff, &deleting()).await.plan);
}

#[tokio::test]
async fn checkpoints_are_in_the_plan_and_cost_two_requests_each() {
    let site = Site::new(&[]);
    for number in 0..250 {
        site.put(&format!("f{number:03}"), "x");
    }
    let report = site.run(&DeployOptions::default()).await;
    assert!(report.ok);
    let checkpoints = report.plan.actions.iter().filter(|action| **action == Action::Checkpoint).count();
    assert_eq!(checkpoints, 2);
    assert!(report.requests <= 250 + 6 + 2 * 2, "{}", report.requests);
}

#[tokio::test]
async fn a_first_deploy_over_an_unmanaged_project_replaces_and_lists_but_leaves_the_unknown() {
    let site = site();
    for (path, content) in [("a.py", "old"), ("theirs.txt", "x"), ("pkg/x/deep.txt", "y"), ("db.sqlite3", "data")] {
        site.model.host().put(path, content);
    }
    let diff = site.diff().await;
    assert_eq!(diff.compare, Compare::Names);
    assert_eq!((diff.changed.len(), diff.added.len()), (1, 4));
    assert_eq!(diff.unmanaged, ["pkg/x/deep.txt", "theirs.txt"]);
    let report = site.deploy(&diff, &deleting()).await;
    assert!(report.ok && report.deleted.is_empty());
    assert!(report.warnings.iter().any(|warning| warning.contains("nothing is deleted")), "{report:?}");
    let mut expected = site.local();
    for (path, content) in [("theirs.txt", "x"), ("pkg/x/deep.txt", "y"), ("db.sqlite3", "data")] {
        expected.insert(path.into(), content.into());
    }
    assert_eq!(site.model.host().project(), expected);
}

#[tokio::test]
async fn comparing_content_adopts_equal_files_without_uploading_them() {
    let site = site();
    for (path, content) in site.local() {
        site.model.host().put(&path, std::str::from_utf8(&content).unwrap());
    }
    site.model.host().put("a.py", "other");
    let diff = site.compare(Some(Compare::Content)).await.unwrap();
    assert_eq!((diff.changed.as_slice(), diff.unchanged.len()), (&["a.py".to_owned()][..], 4));
    let report = site.deploy(&diff, &DeployOptions::default()).await;
    assert_eq!(report.uploaded, ["a.py"]);
    assert!(site.diff().await.is_clean());
}

#[tokio::test]
async fn a_listing_that_fails_is_an_error_and_never_an_empty_project() {
    let site = site();
    site.model.host().put("pkg/c.py", "3");
    site.model.host().faults.push(("LIST", "/pkg".into(), 500, false));
    assert_eq!(site.compare(None).await.unwrap_err().status(), Some(500));
}
