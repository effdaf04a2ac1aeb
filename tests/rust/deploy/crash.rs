//! Deploys that are cut off, that fail, and that meet each other.

use pythonanywhere_api::deploy::{DeployOptions, DeployReport, Recorder, SelectOptions, deploy, diff};
use pythonanywhere_api::finder::NeverSkip;

use super::model::Model;
use super::{Site, deleting, local, project};

fn options() -> DeployOptions {
    DeployOptions { reload: vec!["x.y".into()], ..deleting() }
}

/// A deployed project that has changed since: 30 files to upload, 2 to delete, a file that became a folder.
async fn changed_site() -> Site {
    let site =
        Site::new(&[("db.sqlite3", "local"), ("gone/a", "1"), ("gone/b", "2"), ("shape", "a file"), ("same", "1")]);
    for number in 0..26 {
        site.put(&format!("pkg{}/m{number}.py", number % 3), "v1");
    }
    assert!(site.run(&DeployOptions::default()).await.ok);
    for number in 0..26 {
        site.put(&format!("pkg{}/m{number}.py", number % 3), "v2");
    }
    site.remove("gone/a");
    site.remove("gone/b");
    site.remove("shape");
    for name in ["x", "y", "z", "w"] {
        site.put(&format!("shape/{name}"), name);
    }
    let mut host = site.model.host();
    host.put("db.sqlite3", "remote");
    host.put("pkg0/theirs.txt", "unmanaged");
    host.log.clear();
    drop(host);
    site
}

/// Runs until the cut, and drops the deploy there as a kill would.
async fn run_until_cut(site: &Site) {
    let cut = site.model.host().cut.unwrap().0;
    tokio::select! {
        biased;
        _ = async { site.run(&options()).await } => {}
        () = async { while site.model.host().log.len() <= cut { tokio::task::yield_now().await } } => {}
    }
}

fn assert_deployed(site: &Site, context: &str) {
    let host = site.model.host();
    let mut expected = site.local();
    expected.insert("db.sqlite3".into(), "remote".into());
    expected.insert("pkg0/theirs.txt".into(), "unmanaged".into());
    assert_eq!(host.project(), expected, "{context}");
    assert!(host.notes().iter().all(|name| name.starts_with("manifest-")), "{context}: {:?}", host.notes());
}

#[tokio::test]
async fn a_deploy_killed_at_any_request_is_finished_by_the_next_one() {
    let requests = {
        let site = changed_site().await;
        assert!(site.run(&options()).await.ok);
        assert_deployed(&site, "uncut");
        assert!(!site.model.host().folders.contains("/home/u/p/gone"));
        site.model.host().log.len()
    };
    assert!(requests > 40);
    for cut in 0..requests {
        for (has_effect, torn) in [(false, false), (true, false), (true, true)] {
            let site = changed_site().await;
            site.model.host().cut = Some((cut, has_effect));
            site.model.host().torn = torn;
            run_until_cut(&site).await;
            if torn && site.model.host().log[cut].1.contains("intent-") {
                // Who knows whether that deploy is running: it is not passed without force.
                continue;
            }
            let context = format!("cut at {cut}, effect {has_effect}, torn {torn}");
            let was_reloaded = !site.model.host().reloads.is_empty();
            let untouched = changed_site().await.model.host().project();
            let uploaded = site.model.host().project() != untouched;
            site.model.host().cut = None;
            let report = site.run(&deleting()).await;
            assert!(report.ok, "{context}: {report:?}");
            assert!(report.warnings.len() <= 3, "{context}: {:?}", report.warnings);
            assert_deployed(&site, &context);
            if uploaded {
                assert!(was_reloaded || !site.model.host().reloads.is_empty(), "{context}: the reload is owed");
            }
            site.model.host().log.clear();
            assert!(site.run(&options()).await.ok);
            assert_eq!(site.model.host().log.len(), 2, "{context}: nothing is left to do");
        }
    }
}

#[tokio::test]
async fn a_rerun_sends_only_what_came_after_the_checkpoint() {
    let site = Site::new(&[]);
    for number in 0..250 {
        site.put(&format!("f{number:03}"), "x");
    }
    site.model.host().cut = Some((2 + 2 + 230, true));
    run_until_cut(&site).await;
    site.model.host().cut = None;
    let diff = site.diff().await;
    let (open, known) = (diff.added.len() + diff.changed.len(), diff.unchanged.len());
    assert!(known >= 184, "{known} known, {open} to send");
    assert!(site.deploy(&diff, &DeployOptions::default()).await.ok);
    assert_eq!(site.model.host().project(), site.local());
}

#[tokio::test]
async fn a_failed_file_keeps_reload_and_deletes_back_and_the_next_deploy_pays() {
    let site = changed_site().await;
    site.model.host().faults.push(("POST", "pkg1/m1.py".into(), 413, false));
    let report = site.run(&options()).await;
    assert!(!report.ok && report.reloaded.is_empty());
    assert_eq!(report.failed.keys().collect::<Vec<_>>(), ["pkg1/m1.py"]);
    assert!(site.model.host().project().contains_key("gone/a"));
    site.model.host().faults.clear();

    let diff = site.diff().await;
    assert_eq!(diff.changed, ["pkg1/m1.py"]);
    let report = site.deploy(&diff, &deleting()).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.reloaded, ["x.y"]);
    assert_deployed(&site, "after the failure");
}

#[tokio::test]
async fn a_reload_that_is_owed_is_made_even_if_no_file_changed() {
    let site = changed_site().await;
    site.model.host().faults.push(("RELOAD", "x.y".into(), 500, false));
    let report = site.run(&options()).await;
    assert!(!report.ok && report.failed.contains_key("x.y"));
    assert!(report.deleted.iter().all(|path| path == "shape"), "nothing is deleted after an error");
    site.model.host().faults.clear();
    let report = site.run(&deleting()).await;
    assert!(report.ok && report.uploaded.is_empty(), "{report:?}");
    assert_eq!(site.model.host().reloads, ["x.y"]);
    assert_deployed(&site, "after the reload");
}

#[tokio::test]
async fn a_reload_without_answer_is_asked_about_and_made_once_more() {
    let site = Site::new(&[("a", "1")]);
    site.model.host().faults.push(("RELOAD", "x.y".into(), 504, true));
    let report = site.run(&options()).await;
    assert!(!report.ok);
    let host = site.model.host();
    assert_eq!((host.count("RELOAD"), host.count("ASK")), (2, 1));
}

#[tokio::test]
async fn a_web_app_that_is_not_there_is_no_debt_forever() {
    let site = Site::new(&[("a", "1")]);
    site.model.host().faults.push(("RELOAD", "typo.y".into(), 404, false));
    let report = site.run(&DeployOptions { reload: vec!["typo.y".into()], ..DeployOptions::default() }).await;
    assert!(report.failed.contains_key("typo.y"));
    let report = site.run(&DeployOptions::default()).await;
    assert!(report.ok, "{report:?}");
}

#[tokio::test]
async fn a_live_deploy_stops_another_unless_forced_and_expires() {
    let site = changed_site().await;
    site.model.host().cut = Some((10, true));
    run_until_cut(&site).await;
    site.model.host().cut = None;
    // As if it were another machine's.
    let (path, text) = {
        let host = site.model.host();
        let (path, text) = host.files.iter().find(|(path, _)| path.contains("intent-")).unwrap();
        (path.clone(), String::from_utf8(text.to_vec()).unwrap())
    };
    let mut intent: serde_json::Value = serde_json::from_str(&text).unwrap();
    intent["process"] = serde_json::Value::Null;
    intent["who"] = "ada".into();
    intent["host"] = "laptop".into();
    site.model.host().files.insert(path.clone(), intent.to_string().into());

    let before = site.model.host().project();
    let report = site.run(&options()).await;
    assert!(!report.ok && report.uploaded.is_empty());
    assert!(report.stopped.unwrap().contains("ada@laptop has been deploying since"));
    assert_eq!(site.model.host().project(), before);
    assert!(site.model.host().files.contains_key(&path));
    assert_eq!(site.model.host().notes().len(), 2, "our own note is gone");

    site.model.host().time += 601;
    assert!(site.run(&deleting()).await.ok);
    assert_deployed(&site, "after expiry");

    let site = changed_site().await;
    site.model.host().files.insert(path, intent.to_string().into());
    let report = site.run(&DeployOptions { force: true, ..options() }).await;
    assert!(report.ok, "{report:?}");
    assert_deployed(&site, "forced");
}

#[tokio::test]
async fn a_diff_that_is_old_stops_the_deploy() {
    let site = changed_site().await;
    let old = site.diff().await;
    assert!(site.run(&options()).await.ok);
    let report = site.deploy(&old, &deleting()).await;
    assert!(!report.ok && report.stopped.unwrap().contains("deploy again"));
    assert_deployed(&site, "after the old diff");
}

#[tokio::test]
async fn what_an_earlier_deploy_sent_and_this_one_deletes_is_sent_again_when_it_is_back() {
    let site = Site::new(&[("a", "1")]);
    assert!(site.run(&deleting()).await.ok);
    site.put("b", "1");
    site.put("bad", "1");
    site.model.host().faults.push(("POST", "/bad".into(), 413, false));
    assert!(!site.run(&deleting()).await.ok);
    site.model.host().faults.clear();
    site.remove("b");
    site.remove("bad");
    // Killed after its deletes, with its intent still there.
    let cut = site.model.host().log.len() + 3 + 3 + 1 + 3;
    site.model.host().cut = Some((cut, false));
    run_until_cut(&site).await;
    site.model.host().cut = None;
    assert_eq!(site.model.host().log[cut].0, "DELETE");
    assert!(!site.model.host().project().contains_key("b"));
    site.put("b", "1");
    assert!(site.run(&deleting()).await.ok);
    assert_eq!(site.model.host().project(), site.local());
}

#[tokio::test]
async fn a_dropped_deploy_leaves_a_readable_report() {
    // Many uploads are under way at once, and it is chance whether one of them has ended at the cut.
    for _ in 0..10 {
        let report = cut_off_and_dropped().await;
        assert!(!report.ok && report.requests > 2, "{report:?}");
        if !report.uploaded.is_empty() {
            return;
        }
    }
    panic!("no report tells what was uploaded");
}

/// What a deploy reports that is dropped while its thirteenth request is under way.
async fn cut_off_and_dropped() -> DeployReport {
    let site = changed_site().await;
    let recorder = Recorder::default();
    let found = site.diff().await;
    let sent = site.model.host().log.len();
    site.model.host().cut = Some((sent + 12, true));
    let (project, options) = (site.project(), options());
    let work = deploy(&project, &found, &options, std::sync::Arc::new(()), &recorder);
    // The request that is cut off never ends.
    let cut = crate::emulator_host::eventually(async || (site.model.host().log.len() > sent + 12).then_some(()));
    tokio::select! {
        report = work => panic!("it ended: {report:?}"),
        () = cut => {}
    }
    recorder.report()
}

/// Every order in which two deploys can send their first six requests.
pub fn schedules() -> Vec<Vec<bool>> {
    (0_u32..1 << 12)
        .filter(|bits| bits.count_ones() == 6)
        .map(|bits| (0..12).map(|at| bits >> at & 1 == 1).collect())
        .collect()
}

#[tokio::test]
async fn two_deploys_never_both_go_on_in_any_interleaving() {
    let schedules = schedules();
    assert_eq!(schedules.len(), 924);
    let sites = [Site::new(&[("only-a", "a")]), Site::new(&[("only-b", "b")])];
    for number in 0..8 {
        sites[0].put(&format!("f{number}"), "a");
        sites[1].put(&format!("f{number}"), "b");
    }
    let mut stopped_both = 0;
    for (number, schedule) in schedules.iter().enumerate() {
        let host = Model::new();
        if number % 2 == 1 {
            // Half of them over an earlier deploy.
            let first = Site { folder: tempfile::tempdir().unwrap(), model: host.clone() };
            first.put("f0", "first");
            assert!(first.run(&deleting()).await.ok);
        }
        let clients = [host.gated(), host.gated()];
        let mut tasks: Vec<_> = Vec::new();
        for (client, site) in clients.iter().zip(&sites) {
            let project = project(client, site.root());
            tasks.push(tokio::spawn(async move {
                let found = diff(&project, &SelectOptions::default(), &NeverSkip, None).await?;
                deploy(&project, &found, &deleting(), std::sync::Arc::new(()), &Recorder::default()).await
            }));
        }
        for &second in schedule {
            let which = usize::from(second);
            clients[which].gate.add_permits(1);
            while clients[which].gate.available_permits() > 0 && !tasks[which].is_finished() {
                tokio::task::yield_now().await;
            }
        }
        for client in &clients {
            client.gate.add_permits(100_000);
        }
        let mut went_on = 0;
        for task in tasks {
            went_on += usize::from(task.await.unwrap().is_ok_and(|report| !report.uploaded.is_empty()));
        }
        assert!(went_on <= 1, "both went on: {schedule:?}");
        stopped_both += usize::from(went_on == 0);

        let last = project(&host, sites[0].root());
        let found = diff(&last, &SelectOptions::default(), &NeverSkip, None).await.unwrap();
        let report = deploy(&last, &found, &deleting(), std::sync::Arc::new(()), &Recorder::default()).await.unwrap();
        assert!(report.ok, "{schedule:?}: {report:?}");
        assert_eq!(host.host().project(), local(sites[0].root()), "{schedule:?}");
        assert!(host.host().notes().iter().all(|name| name.starts_with("manifest-")));
    }
    assert!(stopped_both > 0, "in some interleavings both see each other");
}
