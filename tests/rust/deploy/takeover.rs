//! Deploys that are taken over by force: they notice and stop, and what both did is put right by the next deploy.

use std::sync::Arc;

use pythonanywhere_api::deploy::{DeployOptions, DeployReport, Recorder, SelectOptions, deploy, diff};
use pythonanywhere_api::finder::NeverSkip;
use tempfile::TempDir;

use super::crash::schedules;
use super::model::Model;
use super::{Site, deleting, local, project};

fn forcing() -> DeployOptions {
    DeployOptions { force: true, ..deleting() }
}

async fn run(client: Model, root: std::path::PathBuf, options: DeployOptions) -> Option<DeployReport> {
    let project = project(&client, &root);
    let found = diff(&project, &SelectOptions::default(), &NeverSkip, None).await.ok()?;
    Some(deploy(&project, &found, &options, Arc::new(()), &Recorder::default()).await.unwrap())
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// Two trees with other contents under the same names.
fn trees() -> [Site; 2] {
    let sites = [Site::new(&[("only-a", "a"), ("z/gone", "a")]), Site::new(&[("only-b", "b")])];
    for number in 0..5 {
        sites[0].put(&format!("f{number}"), "a");
        sites[1].put(&format!("f{number}"), "b");
    }
    sites
}

fn assert_holds(host: &Model, folder: &TempDir, context: &str) {
    let there = host.host().project();
    for (path, content) in local(folder.path()) {
        assert_eq!(there.get(&path), Some(&content), "{context}: {path}");
    }
}

#[tokio::test]
async fn whoever_is_taken_over_never_ends_well_and_the_next_deploy_puts_all_right() {
    let sites = trees();
    let (mut forced, mut failed) = (0, 0);
    for (number, schedule) in schedules().iter().enumerate() {
        let host = Model::new();
        if number % 2 == 1 {
            assert!(run(host.clone(), sites[0].root().to_owned(), deleting()).await.unwrap().ok);
            sites[0].put("f0", &format!("a{number}"));
        }
        let clients = [host.gated(), host.gated()];
        let tasks = [
            tokio::spawn(run(clients[0].clone(), sites[0].root().to_owned(), deleting())),
            tokio::spawn(run(clients[1].clone(), sites[1].root().to_owned(), forcing())),
        ];
        let mut order = Vec::new();
        for which in schedule.iter().map(|&second| usize::from(second)) {
            let sent = host.host().log.len();
            clients[which].gate.add_permits(1);
            until(|| clients[which].gate.available_permits() == 0 || tasks[which].is_finished()).await;
            order.extend(host.host().log[sent..].iter().map(|request| (which, request.clone())));
        }
        // The one that forces its way goes on, then the other one wakes.
        clients[1].gate.add_permits(100_000);
        until(|| tasks[1].is_finished()).await;
        if number % 3 == 0 {
            host.host().time += 61;
        }
        clients[0].gate.add_permits(100_000);
        let [first, second] = tasks;
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        let context = format!("{schedule:?}: {first:?} {second:?}");
        if let (Some(first), Some(second)) = (&first, &second)
            && second.ok
        {
            forced += 1;
            let own = |(which, (method, path)): &(usize, (&str, String))| {
                *which == 0 && *method == "DELETE" && path.contains("/intent-")
            };
            // It ends well only if it had ended before the other one changed anything.
            assert!(!first.ok || order.iter().any(own), "{context}");
            failed += usize::from(!first.ok && !first.uploaded.is_empty());
        }
        let last = run(host.clone(), sites[1].root().to_owned(), forcing()).await.unwrap();
        assert!(last.ok, "{last:?} after {context}");
        assert_holds(&host, &sites[1].folder, &context);
        assert!(host.host().notes().iter().all(|name| name.starts_with("manifest-")), "{context}");
    }
    assert!(forced > 100 && failed > 10, "{forced} went on by force, {failed} were stopped at work");
}

/// A deploy that stands still after some uploads, another one that takes over meanwhile.
async fn taken_over(asleep: u64) -> (Model, [Site; 2], DeployReport) {
    let sites = trees();
    let host = Model::new();
    let sleeper = host.gated();
    let task = tokio::spawn(run(sleeper.clone(), sites[0].root().to_owned(), deleting()));
    // Diff, intent, listing, three uploads.
    for _ in 0..2 + 2 + 3 {
        sleeper.gate.add_permits(1);
        until(|| sleeper.gate.available_permits() == 0).await;
    }
    until(|| host.host().project().len() == 3).await;
    assert!(run(host.clone(), sites[1].root().to_owned(), forcing()).await.unwrap().ok);
    assert_holds(&host, &sites[1].folder, "taken over");
    host.host().time += asleep;
    host.host().log.clear();
    sleeper.gate.add_permits(100_000);
    let report = task.await.unwrap().unwrap();
    (host, sites, report)
}

#[tokio::test]
async fn a_deploy_that_was_taken_over_stops_and_leaves_the_manifest_of_the_other_one_alone() {
    for asleep in [0, 61, 599, 6000] {
        let (host, sites, report) = taken_over(asleep).await;
        assert!(!report.ok, "{asleep}: {report:?}");
        let reason = report.error_message().unwrap();
        assert!(reason.contains("another"), "{asleep}: {reason}");
        if asleep > 0 {
            let log = host.host().log.clone();
            let manifests = log.iter().filter(|(method, path)| *method == "POST" && path.contains("/manifest-"));
            assert_eq!(manifests.count(), 0, "{asleep}: {log:?}");
        }
        // The files that it named count as unknown, whatever it sent: the next deploy sends them again.
        let found = diff(&project(&host, sites[1].root()), &SelectOptions::default(), &NeverSkip, None).await.unwrap();
        assert_eq!(found.changed, ["f0", "f1", "f2", "f3", "f4"], "{asleep}");
        assert!(run(host.clone(), sites[1].root().to_owned(), deleting()).await.unwrap().ok);
        assert_holds(&host, &sites[1].folder, "put right");
        assert!(
            diff(&project(&host, sites[1].root()), &SelectOptions::default(), &NeverSkip, None)
                .await
                .unwrap()
                .is_clean()
        );
    }
}

#[tokio::test]
async fn a_deploy_looks_at_the_state_folder_once_a_minute() {
    let site = Site::new(&[]);
    for number in 0..20 {
        site.put(&format!("f{number:02}"), "x");
    }
    let client = site.model.gated();
    let task =
        tokio::spawn(run(client.clone(), site.root().to_owned(), DeployOptions { concurrency: 1, ..deleting() }));
    while !task.is_finished() {
        client.gate.add_permits(1);
        until(|| client.gate.available_permits() == 0 || task.is_finished()).await;
        site.model.host().time += 12;
    }
    let report = task.await.unwrap().unwrap();
    assert!(report.ok, "{report:?}");
    let minutes = report.requests * 12 / 60;
    let looks =
        site.model.host().log.iter().filter(|(method, path)| *method == "LIST" && path.contains("/.pya/")).count();
    // Two of them are those of the diff and of the check before the first change, one may be that before the manifest.
    assert!((3..=2 + usize::try_from(minutes).unwrap() + 1).contains(&looks), "{looks} looks in {minutes} minutes");
}
