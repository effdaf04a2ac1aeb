//! Which local files are deployed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Mutex;

use pythonanywhere_api::deploy::{DeployDiff, SelectOptions, diff};
use pythonanywhere_api::finder::{NeverSkip, Skipper};
use pythonanywhere_api::{Error, Result};

use super::{Site, git};

async fn select(site: &Site, options: &SelectOptions) -> Result<DeployDiff> {
    diff(&site.project(), options, &NeverSkip, None).await
}

async fn added(site: &Site) -> Vec<String> {
    select(site, &SelectOptions::default()).await.unwrap().added
}

async fn refusal(site: &Site, options: &SelectOptions) -> String {
    let error = select(site, options).await.unwrap_err();
    assert!(site.model.host().log.is_empty(), "no request is made before a local mistake is told");
    error.chain()
}

#[tokio::test]
async fn hidden_files_are_deployed_and_what_never_belongs_there_is_not() {
    let site = Site::new(&[
        (".htaccess", ""),
        (".well-known/x", ""),
        ("a.py", ""),
        ("a.py~", ""),
        (".a.py.swp", ""),
        ("__pycache__/a.pyc", ""),
        ("pkg/b.pyc", ""),
        ("venv/pyvenv.cfg", ""),
        ("venv/lib/x.py", ""),
    ]);
    let found = select(&site, &SelectOptions::default()).await.unwrap();
    assert_eq!(found.added, [".htaccess", ".well-known/x", "a.py"]);
    let never = &found.left_out["never deployed"];
    assert_eq!((never.files, never.folders), (3, 2));
}

#[tokio::test]
async fn a_tracked_file_is_deployed_even_if_a_rule_matches() {
    let site = Site::new(&[
        (".gitignore", "*.log\n/build/\n"),
        ("a.log", ""),
        ("kept.log", ""),
        ("build/tracked.js", ""),
        ("build/other.js", ""),
        ("app/.gitignore", "*.tmp\n"),
        ("app/x.tmp", ""),
        ("app/x.py", ""),
    ]);
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "-f", "kept.log", "build/tracked.js"]);
    assert_eq!(added(&site).await, [".gitignore", "app/.gitignore", "app/x.py", "build/tracked.js", "kept.log"]);
}

#[tokio::test]
async fn our_own_ignore_file_brings_built_files_back() {
    let site = Site::new(&[
        (".gitignore", "staticfiles/\n"),
        (".pythonanywhereignore", "!staticfiles/\n*.md\n"),
        ("staticfiles/admin/a.css", ""),
        ("README.md", ""),
    ]);
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "-f", "README.md"]);
    assert_eq!(added(&site).await, [".gitignore", ".pythonanywhereignore", "staticfiles/admin/a.css"]);
}

#[tokio::test]
async fn links_are_followed_to_files_inside_only() {
    let site = Site::new(&[("real.txt", "content"), ("folder/x", ""), (".env", "secret")]);
    for (target, link) in [
        ("real.txt", "link.txt"),
        ("folder", "to-folder"),
        ("/etc/passwd", "out"),
        ("nothing", "broken"),
        (".env", "leak"),
    ] {
        symlink(target, site.root().join(link)).unwrap();
    }
    let found = select(&site, &SelectOptions::default()).await.unwrap();
    assert_eq!(found.added, ["folder/x", "link.txt", "real.txt"]);
    assert_eq!(found.skipped.keys().collect::<Vec<_>>(), ["broken", "leak", "out", "to-folder"]);
    assert!(found.skipped["out"].contains("/etc/passwd"));
    let strict = SelectOptions { strict: true, ..SelectOptions::default() };
    assert!(refusal_after(&site, &strict).await.contains("to-folder"));
}

async fn refusal_after(site: &Site, options: &SelectOptions) -> String {
    site.model.host().log.clear();
    refusal(site, options).await
}

#[tokio::test]
async fn protected_files_are_listed_and_not_uploaded() {
    let site = Site::new(&[("db.sqlite3", ""), ("media/a.jpg", ""), (".env", ""), ("a.py", "")]);
    let found = select(&site, &SelectOptions::default()).await.unwrap();
    assert_eq!((found.added, found.protected.len()), (vec!["a.py".to_owned()], 3));
    let include = SelectOptions { include: vec!["media/a.jpg".into()], ..SelectOptions::default() };
    assert_eq!(select(&site, &include).await.unwrap().added, ["a.py", "media/a.jpg"]);
    let none = SelectOptions { protected: Some(Vec::new()), ..SelectOptions::default() };
    assert_eq!(select(&site, &none).await.unwrap().added.len(), 4);
}

#[tokio::test]
async fn an_empty_selection_names_the_rule() {
    let site = Site::new(&[(".gitignore", "*\n"), ("a.py", "")]);
    git(site.root(), &["init", "-q"]);
    let text = refusal(&site, &SelectOptions::default()).await;
    assert!(text.contains(".gitignore") && text.contains("\"*\""), "{text}");
    let site = Site::new(&[]);
    assert!(refusal(&site, &SelectOptions::default()).await.contains("contains no files"));
    let site = Site::new(&[("a.py", "")]);
    let masks = SelectOptions { masks: vec!["*.txt".into()], ..SelectOptions::default() };
    assert!(refusal(&site, &masks).await.contains("mask"));
}

#[tokio::test]
async fn what_is_too_large_is_named_before_any_request() {
    let site = Site::new(&[("small", "123"), ("large", "1234")]);
    let text = refusal(&site, &SelectOptions { max_file_size: 3, ..SelectOptions::default() }).await;
    assert!(text.contains("large") && !text.contains("small"), "{text}");
}

#[tokio::test]
async fn roots_that_cannot_be_are_refused() {
    let site = Site::new(&[("file", "")]);
    let home = std::env::home_dir().unwrap();
    for root in [site.root().join("file"), site.root().join("missing"), "/".into(), home] {
        let mut project = site.project();
        project.local_root.clone_from(&root);
        let error = diff(&project, &SelectOptions::default(), &NeverSkip, None).await.unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{root:?}: {error}");
    }
    assert!(site.model.host().log.is_empty());
}

#[tokio::test]
async fn names_that_could_not_be_read_back_are_refused_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new(&[("a", "")]);
    std::fs::write(site.root().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    assert!(refusal(&site, &SelectOptions::default()).await.contains("caf\\xe9"));
}

#[tokio::test]
async fn a_name_that_is_not_utf8_stops_nobody_where_it_would_not_be_sent() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new(&[("a.py", ""), (".gitignore", "/ignored/\n"), (".pythonanywhereignore", "/own/\n")]);
    let folder = |bytes: &[u8]| site.root().join(OsStr::from_bytes(bytes));
    for path in [b"media".as_slice(), b"ignored", b"own", b"masked", b"f\xfcr/media", b"skip"] {
        std::fs::create_dir_all(folder(path)).unwrap();
        for name in [b"caf\xe9.jpg".as_slice(), b"caf\xe8.jpg"] {
            std::fs::write(folder(path).join(OsStr::from_bytes(name)), "").unwrap();
        }
    }
    git(site.root(), &["init", "-q"]);
    let options = SelectOptions {
        masks: vec!["*".into(), "*/media/*".into(), "own/*".into(), "skip/*".into()],
        ..SelectOptions::default()
    };
    let found = diff(&site.project(), &options, &SkipFolder, None).await.unwrap();
    assert_eq!(found.added, [".gitignore", ".pythonanywhereignore", "a.py"]);
    assert!(found.protected.is_empty());
}

struct SkipFolder;

impl Skipper for SkipFolder {
    async fn skip(&self, paths: Vec<String>) -> Result<Vec<bool>> {
        Ok(paths.iter().map(|path| path == "skip/.").collect())
    }
}

#[tokio::test]
async fn a_link_does_not_get_around_a_rule_that_its_target_meets() {
    let site = Site::new(&[
        (".gitignore", "ignored.txt\nbuild/\n"),
        (".pythonanywhereignore", "own.txt\n"),
        ("ignored.txt", ""),
        ("build/x", ""),
        ("own.txt", ""),
        (".hg/hgrc", "password"),
        ("venv/pyvenv.cfg", ""),
        ("config/.env", "secret"),
        ("real", ""),
    ]);
    for (target, link) in [
        ("ignored.txt", "a"),
        ("build/x", "b"),
        ("own.txt", "c"),
        (".hg/hgrc", "d"),
        ("venv/pyvenv.cfg", "e"),
        ("config/.env", "f"),
        ("real", "good"),
    ] {
        symlink(target, site.root().join(link)).unwrap();
    }
    git(site.root(), &["init", "-q"]);
    let found = select(&site, &SelectOptions::default()).await.unwrap();
    assert_eq!(found.added, [".gitignore", ".pythonanywhereignore", "good", "real"]);
    assert_eq!(found.skipped.keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f"]);
}

#[tokio::test]
async fn folders_of_other_version_control_never_go_and_files_of_their_names_do() {
    let site = Site::new(&[
        (".hg/hgrc", ""),
        (".svn/wc.db", ""),
        ("sub/CVS/Root", ""),
        (".bzr/x", ""),
        (".jj/x", ""),
        ("CVS.md", ""),
        ("docs/CVS", ""),
        (".hgignore", ""),
    ]);
    let everything = SelectOptions { include: vec!["**".into()], ..SelectOptions::default() };
    for options in [SelectOptions::default(), everything] {
        assert_eq!(select(&site, &options).await.unwrap().added, [".hgignore", "CVS.md", "docs/CVS"]);
    }
}

#[tokio::test]
async fn a_virtualenv_in_the_root_stays_out_but_for_what_git_tracks() {
    let site = Site::new(&[
        ("pyvenv.cfg", ""),
        ("bin/python", ""),
        ("bin/tracked.sh", ""),
        ("lib/python3.11/site-packages/x.py", ""),
        ("lib/ours.py", ""),
        ("include/x.h", ""),
        ("manage.py", ""),
    ]);
    let found = select(&site, &SelectOptions::default()).await.unwrap();
    assert_eq!(found.added, ["lib/ours.py", "manage.py"]);
    assert!(found.warnings.iter().any(|warning| warning.contains("virtual environment")), "{:?}", found.warnings);
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "bin/tracked.sh"]);
    assert_eq!(added(&site).await, ["bin/tracked.sh", "lib/ours.py", "manage.py"]);
}

#[tokio::test]
async fn temporary_files_of_editors_go_only_if_git_tracks_them() {
    let site = Site::new(&[("a.py~", ""), ("b~", ""), (".x.swp", ""), ("a", "")]);
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "b~", "a"]);
    assert_eq!(added(&site).await, ["a", "b~"]);
}

#[tokio::test]
async fn pointers_of_git_lfs_are_refused_unless_they_are_wanted() {
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 3000\n", 7);
    let site = Site::new(&[("static/hero.jpg", &pointer), ("a", "")]);
    let text = refusal(&site, &SelectOptions::default()).await;
    assert!(text.contains("static/hero.jpg") && text.contains("git lfs pull"), "{text}");
    let options = SelectOptions { allow_lfs_pointers: true, ..SelectOptions::default() };
    assert_eq!(select(&site, &options).await.unwrap().added, ["a", "static/hero.jpg"]);
    site.put(".pythonanywhereignore", "*.jpg\n");
    assert_eq!(added(&site).await, [".pythonanywhereignore", "a"]);
}

#[tokio::test]
async fn lookalikes_and_executables_are_told() {
    let site = Site::new(&[("u\u{308}.txt", ""), ("\u{fc}.txt", ""), ("run.sh", "")]);
    std::fs::set_permissions(site.root().join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    let found = site.diff().await;
    assert!(found.warnings.iter().any(|warning| warning.contains("normalisation")), "{:?}", found.warnings);
    let report = site.deploy(&found, &super::DeployOptions::default()).await;
    assert!(report.warnings.iter().any(|warning| warning.contains("run.sh")), "{:?}", report.warnings);
}

#[tokio::test]
async fn empty_folders_are_counted() {
    let site = Site::new(&[("a", "")]);
    std::fs::create_dir_all(site.root().join("empty/deep")).unwrap();
    assert_eq!(site.diff().await.empty_folders, 1);
}

#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Skipper for &Asked {
    async fn skip(&self, paths: Vec<String>) -> Result<Vec<bool>> {
        self.0.lock().unwrap().extend(paths.iter().cloned());
        Ok(paths.iter().map(|path| path == "out/." || path.ends_with("skip.me")).collect())
    }
}

#[tokio::test]
async fn the_skipper_is_asked_once_and_not_below_what_it_left_out() {
    let site = Site::new(&[("a.py", ""), ("in/b.py", ""), ("in/skip.me", ""), ("out/deep/c.py", "")]);
    let asked = Asked::default();
    let found = diff(&site.project(), &SelectOptions::default(), &&asked, None).await.unwrap();
    assert_eq!(found.added, ["a.py", "in/b.py"]);
    let mut paths = asked.0.into_inner().unwrap();
    paths.sort_unstable();
    assert_eq!(paths, ["a.py", "in/.", "in/b.py", "in/skip.me", "out/."]);
}
