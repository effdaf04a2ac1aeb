//! The history in the manifest: every deploy is in it, for no request more, and success is claimed only where it was seen.

use pythonanywhere_api::deploy::{DeployOptions, SelectOptions, diff};
use pythonanywhere_api::finder::NeverSkip;
use serde_json::{Value, json};

use super::{Site, deleting, git};

fn reloading() -> DeployOptions {
    DeployOptions { reload: vec!["x.y".into()], ..deleting() }
}

/// The newest manifest: its path and what it holds.
fn newest(site: &Site) -> (String, Value) {
    let host = site.model.host();
    let manifests = host.files.iter().filter(|(path, _)| path.contains("/manifest-"));
    let (path, text) = manifests.max_by_key(|(path, _)| (path.len(), (*path).clone())).unwrap();
    (path.clone(), serde_json::from_slice(text).unwrap())
}

fn history(site: &Site) -> Vec<Value> {
    newest(site).1["history"].as_array().unwrap().clone()
}

fn outcomes(site: &Site) -> Vec<String> {
    history(site).iter().map(|entry| entry["outcome"].as_str().unwrap().to_owned()).collect()
}

async fn run_until(site: &Site, cut: usize, has_effect: bool, options: &DeployOptions) {
    site.model.host().cut = Some((cut, has_effect));
    tokio::select! {
        biased;
        _ = async { site.run(options).await } => {}
        () = async { while site.model.host().log.len() <= cut { tokio::task::yield_now().await } } => {}
    }
    site.model.host().cut = None;
}

#[tokio::test]
async fn each_deploy_is_in_the_manifest_that_it_writes_and_its_outcome_in_the_next_one() {
    let site = Site::new(&[("a", "1"), ("b", "1")]);
    let first = site.run(&reloading()).await;
    let [entry] = &history(&site)[..] else { panic!("one entry") };
    assert_eq!(entry["id"], first.id.clone().unwrap());
    assert_eq!(
        (&entry["kind"], &entry["executor"], &entry["outcome"]),
        (&"deploy".into(), &"none".into(), &"applied".into())
    );
    assert_eq!((&entry["uploaded"], &entry["deleted"], &entry["time"]), (&2.into(), &0.into(), &1_000_000.into()));
    assert!(entry["seconds"].is_number() && !entry["who"].as_str().unwrap().is_empty(), "{entry}");
    // Outside a work tree there is no commit.
    assert!(entry.get("commit").is_none() && entry.get("dirty").is_none(), "{entry}");
    site.put("a", "2");
    site.remove("b");
    site.model.host().time += 60;
    let second = site.run(&deleting()).await;
    let entries = history(&site);
    assert_eq!(outcomes(&site), ["done", "applied"]);
    assert_eq!((&entries[0]["id"], &entries[1]["id"]), (&first.id.unwrap().into(), &second.id.unwrap().into()));
    assert_eq!((&entries[1]["uploaded"], &entries[1]["deleted"]), (&1.into(), &1.into()));
    // Nothing to do is no deploy.
    let third = site.run(&reloading()).await;
    assert!(third.ok && third.id.is_none());
    assert_eq!(history(&site).len(), 2);
}

#[tokio::test]
async fn a_deploy_that_fails_says_why_also_if_it_wrote_no_manifest() {
    let site = Site::new(&[("a", "1")]);
    assert!(site.run(&deleting()).await.ok);
    // After its manifest.
    site.put("a", "2");
    site.model.host().faults.push(("RELOAD", "x.y".into(), 500, false));
    assert!(!site.run(&reloading()).await.ok);
    assert_eq!(outcomes(&site), ["done", "applied"]);
    // Before it.
    site.model.host().faults.push(("POST", "/a".into(), 413, false));
    site.put("a", "3");
    assert!(!site.run(&reloading()).await.ok);
    assert_eq!(outcomes(&site), ["done", "applied"]);
    // One that is killed takes over what the intents told that it removed.
    site.model.host().time += 60;
    let sent = site.model.host().log.len();
    run_until(&site, sent + 3 + 2 + 1, false, &reloading()).await;
    assert_eq!(site.model.host().notes().iter().filter(|name| name.starts_with("intent-")).count(), 1);
    site.model.host().faults.clear();
    site.model.host().time += 60;
    assert!(site.run(&deleting()).await.ok);
    assert_eq!(outcomes(&site), ["done", "failed", "failed", "interrupted", "applied"]);
    let reasons: Vec<String> = history(&site).iter().map(|entry| entry["reason"].to_string()).collect();
    assert!(reasons[1].contains("x.y: not reloaded"), "{reasons:?}");
    assert!(reasons[2].contains("a: ") && reasons[2].contains("413"), "{reasons:?}");
}

#[tokio::test]
async fn wherever_a_deploy_is_killed_the_history_claims_success_only_if_it_had_ended() {
    let changed = async || {
        let site = Site::new(&[("a", "1"), ("b", "1"), ("c/d", "1")]);
        assert!(site.run(&deleting()).await.ok);
        site.put("a", "2");
        site.put("b", "2");
        site.remove("c/d");
        site.model.host().log.clear();
        site
    };
    let requests = {
        let site = changed().await;
        assert!(site.run(&reloading()).await.ok);
        site.model.host().log.len()
    };
    for cut in 0..requests {
        for has_effect in [false, true] {
            let site = changed().await;
            run_until(&site, cut, has_effect, &reloading()).await;
            let context = format!("cut at {cut}, effect {has_effect}");
            let (number, id) = {
                let host = site.model.host();
                let mut intents = host.log.iter().enumerate().filter(|(_, (_, path))| path.contains("/intent-"));
                match intents.next() {
                    Some((number, (_, path))) => {
                        (number, path.split("/intent-").nth(1).unwrap().trim_end_matches(".json").to_owned())
                    }
                    None => (usize::MAX, String::new()),
                }
            };
            let has_begun = cut > number || (cut == number && has_effect);
            let has_ended = cut + 1 == requests && has_effect;
            site.put("a", "3");
            assert!(site.run(&reloading()).await.ok, "{context}");
            let entries = history(&site);
            let entry = entries.iter().find(|entry| entry["id"] == id.as_str());
            let expected = has_begun.then_some(if has_ended { "done" } else { "interrupted" });
            assert_eq!(entry.map(|entry| entry["outcome"].as_str().unwrap()), expected, "{context}");
            assert_eq!(entries.len(), 2 + usize::from(has_begun), "{context}");
        }
    }
}

#[tokio::test]
async fn a_deploy_that_was_taken_over_by_force_is_no_success() {
    let site = Site::new(&[("a", "1")]);
    assert!(site.run(&deleting()).await.ok);
    site.put("a", "2");
    let sent = site.model.host().log.len();
    run_until(&site, sent + 5, true, &reloading()).await;
    // As if it were another machine's, and at work.
    {
        let mut host = site.model.host();
        let path = host.files.keys().find(|path| path.contains("/intent-")).unwrap().clone();
        let mut intent: Value = serde_json::from_slice(&host.files[&path]).unwrap();
        intent["process"] = Value::Null;
        host.files.insert(path, intent.to_string().into());
    }
    site.put("a", "3");
    site.model.host().time += 5;
    assert!(site.run(&DeployOptions { force: true, ..deleting() }).await.ok);
    assert_eq!(outcomes(&site), ["done", "interrupted", "applied"]);
    assert_eq!(history(&site)[1]["reason"], "another deploy took over by force");
}

#[tokio::test]
async fn the_last_fifty_deploys_are_kept() {
    let site = Site::new(&[("a", "")]);
    for number in 0..60 {
        site.put("a", &number.to_string());
        site.model.host().time += 60;
        assert!(site.run(&DeployOptions::default()).await.ok);
    }
    let entries = history(&site);
    assert_eq!(entries.len(), 50);
    assert_eq!(entries[0]["time"], 1_000_000 + 11 * 60);
    assert!(entries[..49].iter().all(|entry| entry["outcome"] == "done"));
    let (_, manifest) = newest(&site);
    let bytes = manifest.to_string().len();
    assert!(bytes < 20_000, "{bytes} bytes");
}

#[tokio::test]
async fn an_older_manifest_has_no_history_and_a_damaged_one_stops_nobody() {
    for damaged in [
        json!(null),
        json!("garbage"),
        json!([5, {"id": "x"}, {"id": "y", "time": 5, "outcome": "done", "later": {"a": 1}}, {"id": 7, "time": "z"}]),
    ] {
        let site = Site::new(&[("a", "1")]);
        assert!(site.run(&deleting()).await.ok);
        let (path, mut manifest) = newest(&site);
        if damaged.is_null() {
            manifest.as_object_mut().unwrap().remove("history");
        } else {
            manifest["history"] = damaged.clone();
        }
        site.model.host().files.insert(path, manifest.to_string().into());
        let found = site.diff().await;
        assert!(found.is_clean() && found.warnings.is_empty(), "{damaged}: {:?}", found.warnings);
        site.put("a", "2");
        assert!(site.run(&deleting()).await.ok);
        let kept = usize::from(damaged.is_array());
        assert_eq!(history(&site).len(), kept + 1, "{damaged}");
    }
}

/// A repository with one commit.
fn repository(site: &Site) -> String {
    git(site.root(), &["init", "-q", "-b", "main"]);
    git(site.root(), &["add", "-A"]);
    git(site.root(), &["commit", "-qm", "1"]);
    String::from_utf8(git(site.root(), &["rev-parse", "HEAD"])).unwrap().trim().to_owned()
}

/// Commit, branch and whether the work tree was dirty, as the report and the manifest say it of the next deploy.
async fn revision(site: &Site, options: &SelectOptions) -> (Option<String>, Option<String>, Option<bool>) {
    site.put("sent", &format!("{}", site.model.host().log.len()));
    let found = diff(&site.project(), options, &NeverSkip, None).await.unwrap();
    let report = site.deploy(&found, &DeployOptions::default()).await;
    assert!(report.ok, "{report:?}");
    let entry = history(site).pop().unwrap();
    assert_eq!(entry["id"], report.id.unwrap());
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    assert_eq!((text(entry.get("commit")), text(entry.get("branch"))), (report.commit.clone(), report.branch.clone()));
    assert_eq!(entry.get("dirty").and_then(Value::as_bool), report.dirty);
    (report.commit, report.branch, report.dirty)
}

#[tokio::test]
async fn the_commit_is_told_with_its_branch_and_whether_all_that_was_sent_is_in_it() {
    let site = Site::new(&[
        ("a", "1"),
        (".gitignore", "sent\nbuilt/\nlocal.log\n"),
        (".pythonanywhereignore", "!sent\n!built/\n"),
    ]);
    let commit = repository(&site);
    let (options, main) = (SelectOptions::default(), || Some("main".to_owned()));
    let clean = (Some(commit.clone()), main(), Some(false));
    assert_eq!(revision(&site, &options).await, clean);
    // What git ignores is no change, whether it is sent or not.
    site.put("built/app.js", "");
    site.put("local.log", "");
    assert_eq!(revision(&site, &options).await, clean);
    site.put("a", "2");
    assert_eq!(revision(&site, &options).await, (Some(commit.clone()), main(), Some(true)));
    git(site.root(), &["add", "a"]);
    assert_eq!(revision(&site, &options).await.2, Some(true));
    git(site.root(), &["reset", "-q", "--hard"]);
    // A file that git does not know counts if it is sent.
    site.put("new.py", "");
    assert_eq!(revision(&site, &options).await.2, Some(true));
    let masks = SelectOptions { masks: vec!["a".into(), "sent".into()], ..SelectOptions::default() };
    assert_eq!(revision(&site, &masks).await.2, Some(false));
    site.remove("new.py");
    git(site.root(), &["checkout", "-q", "--detach"]);
    assert_eq!(revision(&site, &options).await, (Some(commit), None, Some(false)));
    // Who does not want git is told nothing of it.
    let without = SelectOptions { no_git: true, ..SelectOptions::default() };
    assert_eq!(revision(&site, &without).await, (None, None, None));
}

#[tokio::test]
async fn changes_beside_the_project_do_not_count_and_a_repository_without_commit_has_none() {
    let site = Site::new(&[("site/a", "1"), ("docs/b", "1")]);
    let mut project = site.project();
    project.local_root.push("site");
    let compared = async || diff(&project, &SelectOptions::default(), &NeverSkip, None).await.unwrap();
    git(site.root(), &["init", "-q", "-b", "main"]);
    let report = site.deploy_in(&project, &compared().await).await;
    assert_eq!((report.commit, report.branch.as_deref(), report.dirty), (None, Some("main"), Some(true)));
    let commit = repository(&site);
    site.put("docs/b", "2");
    site.put("docs/new", "");
    site.put("site/a", "2");
    git(site.root(), &["commit", "-qm", "2", "site/a"]);
    let head = String::from_utf8(git(site.root(), &["rev-parse", "HEAD"])).unwrap();
    let report = site.deploy_in(&project, &compared().await).await;
    assert_eq!((report.commit.as_deref(), report.dirty), (Some(head.trim()), Some(false)));
    assert_ne!(head.trim(), commit);
}
