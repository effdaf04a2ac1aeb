//! What earlier deploys left on the host: it never adds up, and what is damaged stops nobody.

use pythonanywhere_api::deploy::{Compare, DeployOptions};

use super::{Site, deleting};

fn reloading() -> DeployOptions {
    DeployOptions { reload: vec!["x.y".into()], ..DeployOptions::default() }
}

fn site() -> Site {
    Site::new(&[("a", "1"), ("b", "1"), ("c/d", "1")])
}

/// The newest manifest's path.
fn newest(site: &Site) -> String {
    let host = site.model.host();
    let manifests = host.files.keys().filter(|path| path.contains("/manifest-"));
    manifests.max_by_key(|path| (path.len(), (*path).clone())).unwrap().clone()
}

#[tokio::test]
async fn failed_deploys_leave_one_intent_whose_debts_cost_two_requests() {
    for failures in [1, 6, 30] {
        let site = site();
        assert!(site.run(&reloading()).await.ok);
        site.model.host().faults.push(("RELOAD", "x.y".into(), 500, false));
        for number in 0..failures {
            site.put("a", &format!("failing {number}"));
            assert!(!site.run(&reloading()).await.ok);
            let notes = site.model.host().notes();
            assert_eq!(notes.iter().filter(|name| name.starts_with("intent-")).count(), 1, "{notes:?}");
            assert!(notes.len() <= 9, "{notes:?}");
        }
        site.model.host().faults.clear();
        site.put("a", "good");
        let stale = site.model.host().notes().len() - 1;
        let stale = if stale >= 8 { stale } else { 0 };
        site.model.host().log.clear();
        let report = site.run(&DeployOptions::default()).await;
        assert!(report.ok, "{report:?}");
        assert_eq!(report.reloaded, ["x.y"], "it is owed");
        // One file and a reload, and the intent of the failed deploy is read and removed.
        assert_eq!(site.model.host().log.len(), 1 + 6 + 1 + 2 + stale, "{:?}", site.model.host().log);
        assert_eq!(report.plan.requests, usize::try_from(report.requests).unwrap());
        assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
        assert!(report.warnings[0].starts_with("an earlier deploy (your own, just now, "), "{:?}", report.warnings);
        assert!(
            report.warnings[0].contains(": it did not reload x.y, which may run old code"),
            "{:?}",
            report.warnings
        );
        assert!(site.diff().await.is_clean());
    }
}

#[tokio::test]
async fn deploys_that_are_killed_in_a_row_leave_at_most_two_intents() {
    let site = site();
    assert!(site.run(&deleting()).await.ok);
    for number in 0..12 {
        site.put("a", &format!("{number}"));
        site.put("b", &format!("{number}"));
        let from = site.model.host().log.len();
        // At the first upload, whatever is read and removed before.
        let intents = site.model.host().notes().iter().filter(|name| name.starts_with("intent-")).count();
        let cut = 4 + 2 * intents;
        site.model.host().cut = Some((from + cut, false));
        tokio::select! {
            biased;
            _ = async { site.run(&deleting()).await } => {}
            () = async { while site.model.host().log.len() <= from + cut { tokio::task::yield_now().await } } => {}
        }
        site.model.host().cut = None;
        let intents = site.model.host().notes().iter().filter(|name| name.starts_with("intent-")).count();
        assert!((1..=2).contains(&intents), "{:?}", site.model.host().notes());
    }
    let diff = site.diff().await;
    assert_eq!(diff.warnings.len(), 1, "{:?}", diff.warnings);
    assert!(diff.warnings[0].contains("2 files will be sent again"), "{:?}", diff.warnings);
    assert!(site.deploy(&diff, &deleting()).await.ok);
    assert_eq!(site.model.host().project(), site.local());
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_is_set_aside_and_every_file_is_sent_again() {
    for garbage in ["", "<html>", "{\"format\": 1", "null", "[]"] {
        let site = site();
        assert!(site.run(&deleting()).await.ok);
        site.put("a", "2");
        site.put("gone", "x");
        assert!(site.run(&deleting()).await.ok);
        let damaged = newest(&site);
        site.model.host().files.insert(damaged.clone(), garbage.into());
        // The manifest before it would call this file unchanged, and the host has another one.
        site.put("a", "1");
        site.remove("gone");
        let diff = site.diff().await;
        assert_eq!((diff.compare, diff.changed.len()), (Compare::Manifest, 3), "{garbage:?}");
        assert!(diff.warnings[0].starts_with(&format!("{damaged} cannot be read and was set aside")), "{diff:?}");
        let report = site.deploy(&diff, &deleting()).await;
        assert!(report.ok, "{garbage:?}: {report:?}");
        // Nobody knows any more that this one was ours.
        site.put("gone", "x");
        assert_eq!(site.model.host().project(), site.local(), "{garbage:?}");
        assert!(!site.model.host().files.contains_key(&damaged));
        site.remove("gone");
        let diff = site.diff().await;
        assert!(diff.is_clean() && diff.warnings.is_empty(), "{garbage:?}: {diff} {:?}", diff.warnings);
    }
}

#[tokio::test]
async fn without_any_manifest_that_can_be_read_names_are_compared() {
    let site = site();
    assert!(site.run(&deleting()).await.ok);
    let damaged = newest(&site);
    site.model.host().files.insert(damaged, "".into());
    let diff = site.diff().await;
    assert_eq!((diff.compare, diff.changed.len()), (Compare::Names, 3));
    assert!(
        diff.warnings[0].ends_with("the file names on the host are used, and every file counts as changed"),
        "{diff:?}"
    );
    let adopted = site.compare(Some(Compare::Content)).await.unwrap();
    assert_eq!(adopted.unchanged.len(), 3);
    assert!(site.deploy(&adopted, &DeployOptions { force: true, ..deleting() }).await.ok);
    assert!(site.diff().await.is_clean());
}

#[tokio::test]
async fn a_manifest_of_a_later_format_is_refused_by_name_and_a_failed_read_is_no_damage() {
    let site = site();
    assert!(site.run(&deleting()).await.ok);
    let manifest = newest(&site);
    let name = manifest.rsplit('/').next().unwrap().to_owned();
    site.model.host().faults.push(("GET", name.clone(), 500, false));
    assert_eq!(site.compare(None).await.unwrap_err().status(), Some(500));
    site.model.host().faults.clear();
    site.model.host().files.insert(manifest, "{\"format\": 2}".into());
    let error = site.compare(None).await.unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("later version"), "{error}");
}

#[tokio::test]
async fn an_intent_that_cannot_be_read_is_passed_by_force_only_and_every_file_is_sent_again() {
    let site = site();
    assert!(site.run(&deleting()).await.ok);
    let folder = newest(&site).rsplit_once('/').unwrap().0.to_owned();
    site.model.host().files.insert(format!("{folder}/intent-0123456789abcdef.json"), "{\"form".into());
    let report = site.run(&deleting()).await;
    let reason = report.stopped.unwrap();
    assert!(
        report.held && reason.contains("intent-0123456789abcdef.json") && reason.contains("force=True"),
        "{reason}"
    );
    let report = site.run(&DeployOptions { force: true, ..deleting() }).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.uploaded.len(), 3);
    let diff = site.diff().await;
    assert!(diff.is_clean() && diff.warnings.is_empty(), "{diff} {:?}", diff.warnings);
}

#[tokio::test]
async fn a_module_that_replaces_a_package_is_told_of_unless_the_package_goes() {
    let site = Site::new(&[("app/models/__init__.py", ""), ("app/models/user.py", "")]);
    assert!(site.run(&deleting()).await.ok);
    site.remove("app/models/__init__.py");
    site.remove("app/models/user.py");
    site.put("app/models.py", "");
    let diff = site.diff().await;
    let told = |warnings: &[String]| warnings.iter().any(|warning| warning.contains("which Python prefers"));
    let dry = |delete| DeployOptions { delete, dry_run: true, ..DeployOptions::default() };
    let stays = site.deploy(&diff, &dry(false)).await;
    assert!(told(&stays.warnings));
    assert_eq!(stays.changes(), [("app/models.py", 'A')]);
    let goes = site.deploy(&diff, &dry(true)).await;
    assert!(!told(&goes.warnings));
    assert_eq!(goes.changes().len(), 3);
}
