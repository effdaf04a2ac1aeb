//! What is deleted, and above all what is not.

use pythonanywhere_api::deploy::{Compare, DeployOptions, SelectOptions, deploy, diff, with_unmanaged};
use pythonanywhere_api::finder::NeverSkip;

use super::{Recorder, Site, deleting};

async fn deployed(files: &[(&str, &str)]) -> Site {
    let site = Site::new(files);
    assert!(site.run(&DeployOptions::default()).await.ok);
    site
}

#[tokio::test]
async fn nothing_is_deleted_unless_asked_and_it_stays_ours() {
    let site = deployed(&[("a", "1"), ("b", "2")]).await;
    site.remove("b");
    site.put("a", "changed");
    let report = site.run(&DeployOptions::default()).await;
    assert!(report.ok && report.deleted.is_empty());
    assert_eq!(site.diff().await.removed, ["b"]);
    assert_eq!(site.run(&deleting()).await.deleted, ["b"]);
}

#[tokio::test]
async fn what_is_left_out_now_is_not_removed() {
    let site = deployed(&[("a", ""), ("b.log", ""), ("x/c", ""), ("media2/d", "")]).await;
    for path in ["b.log", "x/c", "media2/d"] {
        site.remove(path);
    }
    site.put(".pythonanywhereignore", "*.log\n");
    let options = SelectOptions {
        masks: vec!["*".into(), "media2/*".into()],
        protected: Some(vec!["/media2/".into()]),
        ..SelectOptions::default()
    };
    let found = diff(&site.project(), &options, &NeverSkip, None).await.unwrap();
    assert!(found.removed.is_empty(), "{found}");
    assert_eq!(site.diff().await.removed, ["media2/d", "x/c"]);
}

#[tokio::test]
async fn a_file_that_became_a_folder_on_the_host_is_left_alone() {
    let site = deployed(&[("a", ""), ("data", "")]).await;
    site.remove("data");
    site.model.host().files.remove("/home/u/p/data");
    site.model.host().put("data/precious", "x");
    let report = site.run(&deleting()).await;
    assert!(!report.ok && report.failed["data"].contains("folder"), "{report:?}");
    assert!(site.model.host().project().contains_key("data/precious"));
}

#[tokio::test]
async fn emptied_folders_go_and_others_stay() {
    let site = deployed(&[("a", ""), ("x/y/one", ""), ("z/two", "")]).await;
    site.remove("x/y/one");
    site.remove("z/two");
    site.model.host().put("z/theirs", "x");
    let report = site.run(&deleting()).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.deleted, ["z/two", "x/y/one", "x/y", "x"]);
    assert!(site.model.host().project().contains_key("z/theirs"));
}

#[tokio::test]
async fn more_deletes_than_allowed_are_refused_before_any_request() {
    let site = Site::new(&[("a", "")]);
    for number in 0..20 {
        site.put(&format!("f{number}"), "x");
    }
    site.run(&DeployOptions::default()).await;
    for number in 0..11 {
        site.remove(&format!("f{number}"));
    }
    let found = site.diff().await;
    let sent = site.model.host().log.len();
    let attempt = deploy(&site.project(), &found, &deleting(), std::sync::Arc::new(()), &Recorder::default()).await;
    assert!(attempt.unwrap_err().to_string().contains("11 files"));
    assert_eq!(site.model.host().log.len(), sent);
    let report = site.deploy(&found, &DeployOptions { max_delete: Some(11), ..deleting() }).await;
    assert_eq!(report.deleted.len(), 11);
}

#[tokio::test]
async fn unmanaged_files_go_only_with_their_own_option_and_a_complete_listing() {
    let site = deployed(&[("a", ""), ("db.sqlite3", "")]).await;
    for path in ["theirs", "deep/er/theirs", "db.sqlite3", "media/upload", "x/__pycache__/y.pyc"] {
        site.model.host().put(path, "x");
    }
    let options = DeployOptions { delete_unmanaged: true, ..DeployOptions::default() };
    let found = site.diff().await;
    let attempt = deploy(&site.project(), &found, &options, std::sync::Arc::new(()), &Recorder::default()).await;
    assert!(attempt.unwrap_err().to_string().contains("complete listing"));
    let found = with_unmanaged(&site.project(), &found, &NeverSkip).await.unwrap();
    assert_eq!(found.unmanaged, ["deep/er/theirs", "theirs"]);
    let report = site.deploy(&found, &options).await;
    assert!(report.ok, "{report:?}");
    let left: Vec<String> = site.model.host().project().into_keys().collect();
    assert_eq!(left, ["a", "db.sqlite3", "media/upload", "x/__pycache__/y.pyc"]);
}

#[tokio::test]
async fn a_file_of_ours_makes_way_for_a_folder_and_the_reverse() {
    let site = deployed(&[("a", "file"), ("b/x", ""), ("b/c/y", ""), ("keep", "")]).await;
    site.remove("a");
    site.put("a/inside", "1");
    std::fs::remove_dir_all(site.root().join("b")).unwrap();
    site.put("b", "file");
    let found = site.diff().await;
    assert_eq!((found.added.as_slice(), found.removed.len()), (&["a/inside".to_owned(), "b".to_owned()][..], 0));
    let report = site.deploy(&found, &DeployOptions::default()).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(usize::try_from(report.requests).unwrap(), report.plan.requests);
    assert_eq!(site.model.host().project(), site.local());
}

#[tokio::test]
async fn a_folder_with_something_strange_in_it_does_not_make_way() {
    let site = deployed(&[("b/x", "ours"), ("keep", "")]).await;
    site.model.host().put("b/theirs", "precious");
    std::fs::remove_dir_all(site.root().join("b")).unwrap();
    site.put("b", "file");
    site.put("keep", "changed");
    let report = site.run(&deleting()).await;
    assert!(!report.ok && report.failed["b"].contains("b/theirs"), "{report:?}");
    let host = site.model.host();
    assert_eq!(host.project()["b/theirs"], "precious");
    assert_eq!(host.project()["b/x"], "ours");
}

#[tokio::test]
async fn a_protected_file_goes_only_by_name() {
    let site = Site::new(&[("a", "1"), ("db.sqlite3", "local")]);
    let named = DeployOptions { include: vec!["db.sqlite3".into()], ..deleting() };
    let mut uploaded = site.run(&named).await.uploaded;
    uploaded.sort_unstable();
    assert_eq!(uploaded, ["a", "db.sqlite3"]);
    assert!(site.run(&named).await.uploaded.is_empty(), "unchanged");
    site.remove("db.sqlite3");
    assert!(site.run(&deleting()).await.deleted.is_empty());
    assert_eq!(site.run(&named).await.deleted, ["db.sqlite3"]);
}

#[tokio::test]
async fn files_that_vanished_from_the_host_are_forgotten_by_a_listing() {
    let site = deployed(&[("a", ""), ("b", ""), ("c", "")]).await;
    site.remove("b");
    site.model.host().files.remove("/home/u/p/b");
    let found = site.compare(Some(Compare::Content)).await.unwrap();
    assert!(found.removed.is_empty() && found.unchanged.len() == 2);
    assert!(site.deploy(&found, &deleting()).await.ok);
    assert!(site.diff().await.is_clean());
}

#[cfg(unix)]
#[tokio::test]
async fn what_took_the_place_of_a_file_since_the_diff_is_not_sent_and_not_waited_for() {
    use std::os::unix::fs::symlink;

    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let site = Site::new(&[("fifo", "1"), ("link", "1"), ("large", "1"), ("folder/x", "1"), ("good", "1")]);
    let options = SelectOptions { max_file_size: 100, ..SelectOptions::default() };
    let found = diff(&site.project(), &options, &NeverSkip, None).await.unwrap();
    for name in ["fifo", "link"] {
        site.remove(name);
    }
    let fifo = site.root().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    symlink(outside.path().join("secret"), site.root().join("link")).unwrap();
    site.put("large", &"x".repeat(101));
    std::fs::remove_dir_all(site.root().join("folder")).unwrap();
    std::fs::rename(outside.path().join("secret"), outside.path().join("x")).unwrap();
    symlink(outside.path(), site.root().join("folder")).unwrap();
    let report = site.deploy(&found, &DeployOptions { reload: vec!["x.y".into()], ..deleting() }).await;
    assert_eq!(report.failed.keys().collect::<Vec<_>>(), ["fifo", "folder/x", "large", "link"], "{report:?}");
    assert_eq!(site.model.host().project().into_keys().collect::<Vec<_>>(), ["good"]);
    assert!(report.reloaded.is_empty());
}
