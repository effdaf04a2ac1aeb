//! What is protected, and what lifts it.

use pythonanywhere_api::deploy::{DeployDiff, DeployOptions, SelectOptions, deploy, diff, with_unmanaged};
use pythonanywhere_api::finder::NeverSkip;

use super::{Recorder, Site, deleting, git};

const DATABASE: &str = "SQLite format 3\0 and so on";

async fn select(site: &Site, options: &SelectOptions) -> DeployDiff {
    diff(&site.project(), options, &NeverSkip, None).await.unwrap()
}

async fn refusal(site: &Site, options: &SelectOptions) -> String {
    let error = diff(&site.project(), options, &NeverSkip, None).await.unwrap_err();
    assert!(site.model.host().log.is_empty(), "no request is made before a local mistake is told");
    error.chain()
}

fn including(masks: &[&str]) -> SelectOptions {
    SelectOptions { include: masks.iter().map(|&mask| mask.to_owned()).collect(), ..SelectOptions::default() }
}

#[tokio::test]
async fn live_data_is_protected_whatever_the_usual_name() {
    let site = Site::new(&[("manage.py", ""), (".env.example", "")]);
    for path in
        ["app.db", "data.sqlite", "config/.env", "backend/media/x.jpg", "instance/x.cfg", ".envs/prod", "x.db-wal"]
    {
        site.put(path, "laptop");
        site.model.host().put(path, "live");
    }
    let report = site.run(&DeployOptions::default()).await;
    assert_eq!((report.uploaded.len(), report.protected.len()), (2, 7), "{report:?}");
    let live = site.model.host().project().into_values().filter(|content| content == "live").count();
    assert_eq!(live, 7);
}

#[tokio::test]
async fn a_sqlite_database_is_protected_by_its_content() {
    let site = Site::new(&[("data/store", DATABASE), ("fixtures/demo.bin", DATABASE), ("a", "")]);
    let found = site.diff().await;
    assert_eq!(
        (found.added, found.protected),
        (vec!["a".to_owned()], vec!["data/store".to_owned(), "fixtures/demo.bin".to_owned()])
    );
    assert_eq!(select(&site, &including(&["fixtures/*"])).await.added, ["a", "fixtures/demo.bin"]);
    let lifted = SelectOptions { protected: Some(vec!["!/fixtures/".into()]), ..SelectOptions::default() };
    assert_eq!(select(&site, &lifted).await.added, ["a", "fixtures/demo.bin"]);
    // A deploy leaves it alone too, and sends what it is told to include.
    site.model.host().put("data/store", "live");
    assert_eq!(site.run(&DeployOptions::default()).await.uploaded, ["a"]);
    let named = DeployOptions { include: vec!["fixtures/*".into()], ..DeployOptions::default() };
    assert_eq!(site.run(&named).await.uploaded, ["fixtures/demo.bin"]);
    assert_eq!(site.model.host().project()["data/store"], "live");
    // Also where it is too large to be sent.
    let small = SelectOptions { max_file_size: 3, ..SelectOptions::default() };
    assert_eq!(select(&site, &small).await.protected.len(), 2);
}

#[tokio::test]
async fn folders_for_uploads_are_protected_where_they_hold_no_code() {
    let site = Site::new(&[
        ("media/upload.jpg", ""),
        ("media/logo.png", ""),
        ("shop/media/__init__.py", ""),
        ("shop/media/models.py", ""),
        ("blog/media/upload.jpg", ""),
    ]);
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "media/logo.png"]);
    let found = site.diff().await;
    assert_eq!(found.added, ["media/logo.png", "shop/media/__init__.py", "shop/media/models.py"]);
    assert_eq!(found.protected, ["blog/media/upload.jpg", "media/upload.jpg"]);
    // On the host nobody tracks an upload, and what git tracked when it was sent is still ours.
    site.model.host().put("media/theirs.jpg", "x");
    site.deploy(&found, &DeployOptions::default()).await;
    let found = with_unmanaged(&site.project(), &site.diff().await, &NeverSkip).await.unwrap();
    assert!(found.unmanaged.is_empty(), "{found}");
    git(site.root(), &["rm", "-qf", "media/logo.png"]);
    assert_eq!(site.run(&deleting()).await.deleted, ["media/logo.png"]);
}

#[tokio::test]
async fn what_is_included_by_name_goes_whatever_the_rules_say() {
    let site = Site::new(&[
        (".gitignore", ".env\nbuild/\n"),
        (".pythonanywhereignore", "*.md\n"),
        (".env", "SECRET=1"),
        ("build/deep/x", ""),
        ("build/y", ""),
        ("README.md", ""),
        ("a", ""),
    ]);
    git(site.root(), &["init", "-q"]);
    let found = select(&site, &including(&[".env", "build/deep/*", "README.md"])).await;
    assert_eq!(found.added, [".env", ".gitignore", ".pythonanywhereignore", "README.md", "a", "build/deep/x"]);
    let lifted = SelectOptions { protected: Some(vec!["!.env".into()]), ..SelectOptions::default() };
    assert_eq!(select(&site, &lifted).await.added, [".env", ".gitignore", ".pythonanywhereignore", "a"]);
}

#[tokio::test]
async fn to_include_what_is_not_there_is_an_error_and_as_a_setting_a_warning() {
    let site = Site::new(&[("a", ""), (".env", "")]);
    let text = refusal(&site, &including(&[".env", "conf/.env"])).await;
    assert!(text.contains("include=") && text.contains("conf/.env"), "{text}");
    let setting = SelectOptions { include_if_there: vec![".env".into(), "x/y".into()], ..SelectOptions::default() };
    let found = select(&site, &setting).await;
    assert_eq!(found.added, [".env", "a"]);
    assert!(found.warnings.iter().any(|warning| warning.contains("x/y")), "{:?}", found.warnings);
    // A deploy may include what the diff left protected, but no more than that.
    let found = site.diff().await;
    site.model.host().log.clear();
    for (mask, is_right) in [(".env", true), (".envrc", false)] {
        let options = DeployOptions { include: vec![mask.into()], dry_run: true, ..DeployOptions::default() };
        let outcome = deploy(&site.project(), &found, &options, std::sync::Arc::new(()), &Recorder::default()).await;
        assert_eq!(outcome.is_ok(), is_right, "{mask}: {outcome:?}");
    }
    assert!(site.model.host().log.is_empty());
}
