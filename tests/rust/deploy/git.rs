//! What git says about a project is what is deployed, and what is not checked out is not removed.

use std::os::unix::fs::{PermissionsExt, symlink};

use pythonanywhere_api::deploy::{DeployDiff, DeployOptions, SelectOptions, diff, with_unmanaged};
use pythonanywhere_api::finder::NeverSkip;

use super::{Site, deleting, git};

async fn select(site: &Site, options: &SelectOptions) -> DeployDiff {
    diff(&site.project(), options, &NeverSkip, None).await.unwrap()
}

fn told(found: &DeployDiff, words: &[&str]) -> bool {
    found.warnings.iter().any(|warning| words.iter().all(|word| warning.contains(word)))
}

/// A repository with one commit.
fn repository(site: &Site, folder: &str) {
    let place = site.root().join(folder);
    git(&place, &["init", "-q"]);
    git(&place, &["add", "-A"]);
    git(&place, &["commit", "-qm", "1"]);
}

#[tokio::test]
async fn a_submodule_is_asked_itself_and_its_files_stay_where_it_is_not_checked_out() {
    let site = Site::new(&[("manage.py", "")]);
    let other = Site::new(&[("lib.py", ""), (".gitignore", "*.tmp\n")]);
    repository(&other, "");
    repository(&site, "");
    git(site.root(), &["submodule", "--quiet", "add", other.root().to_str().unwrap(), "vendor/lib"]);
    git(site.root(), &["commit", "-qm", "2"]);
    site.put("vendor/lib/new.py", "");
    site.put("vendor/lib/x.tmp", "");
    let found = site.diff().await;
    assert_eq!(
        found.added,
        [".gitmodules", "manage.py", "vendor/lib/.gitignore", "vendor/lib/lib.py", "vendor/lib/new.py"]
    );
    assert!(site.deploy(&found, &DeployOptions::default()).await.ok);

    git(site.root(), &["submodule", "--quiet", "deinit", "-f", "vendor/lib"]);
    for no_git in [false, true] {
        let found = select(&site, &SelectOptions { no_git, ..SelectOptions::default() }).await;
        assert!(found.removed.is_empty() && told(&found, &["vendor/lib", "not checked out"]), "{:?}", found.warnings);
        let found = with_unmanaged(&site.project(), &found, &NeverSkip).await.unwrap();
        assert!(found.unmanaged.is_empty(), "{found}");
    }
    let report = site.run(&deleting()).await;
    assert!(report.ok && report.deleted.is_empty(), "{report:?}");
    // A submodule that git does not track any more is gone.
    git(site.root(), &["rm", "-q", "vendor/lib"]);
    assert_eq!(site.diff().await.removed.len(), 3);
}

#[tokio::test]
async fn sparse_parts_are_neither_sent_nor_removed_and_other_missing_files_are() {
    let site = Site::new(&[("a/x", ""), ("b/y", ""), ("b/z", ""), ("c", ""), ("d", "")]);
    repository(&site, "");
    site.run(&DeployOptions::default()).await;
    git(site.root(), &["sparse-checkout", "set", "a"]);
    git(site.root(), &["rm", "-q", "--cached", "c"]);
    site.remove("c");
    site.remove("d");
    let found = site.diff().await;
    assert_eq!(found.removed, ["c", "d"]);
    assert!(told(&found, &["b/y", "b/z", "skip-worktree"]), "{:?}", found.warnings);
    assert_eq!(site.run(&deleting()).await.deleted, ["c", "d"]);
    assert_eq!(site.model.host().project().len(), 3);
}

#[tokio::test]
async fn nested_repositories_are_asked_themselves_and_linked_work_trees_are_left_out() {
    let site = Site::new(&[("a", ""), ("plugin/p.py", ""), ("plugin/.gitignore", "*.log\n"), ("plugin/x.log", "")]);
    repository(&site, "plugin");
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "a"]);
    git(site.root(), &["commit", "-qm", "1"]);
    git(site.root(), &["worktree", "add", "-q", "feature"]);
    let found = site.diff().await;
    assert_eq!(found.added, ["a", "plugin/.gitignore", "plugin/p.py"]);
    assert!(told(&found, &["feature", "linked work tree"]), "{:?}", found.warnings);
    // One that git cannot read is left out.
    site.put("plugin/.git/index", "garbage");
    let found = site.diff().await;
    assert_eq!(found.added, ["a"]);
    assert!(told(&found, &["plugin", "left out", "index"]), "{:?}", found.warnings);
}

#[tokio::test]
async fn a_root_that_git_ignores_is_walked_by_its_own_rules() {
    let site =
        Site::new(&[(".gitignore", "*\n"), ("site/.gitignore", "*.log\n"), ("site/a.py", ""), ("site/b.log", "")]);
    git(site.root(), &["init", "-q"]);
    let mut project = site.project();
    project.local_root.push("site");
    let added = async || diff(&project, &SelectOptions::default(), &NeverSkip, None).await.unwrap().added;
    assert_eq!(added().await, [".gitignore", "a.py"]);
    // What git tracks in it is not ignored.
    git(site.root(), &["add", "-f", "site/b.log"]);
    assert_eq!(added().await, ["b.log"]);
}

#[tokio::test]
async fn a_project_in_a_folder_of_a_repository_may_lose_files() {
    let site = Site::new(&[(".gitignore", "*.log\n"), ("apps/web/a.py", ""), ("apps/web/gone.py", "")]);
    repository(&site, "");
    let mut project = site.project();
    project.local_root.push("apps/web");
    let compared = async || diff(&project, &SelectOptions::default(), &NeverSkip, None).await.unwrap();
    assert!(site.deploy_in(&project, &compared().await).await.ok);
    site.remove("apps/web/gone.py");
    site.model.host().put("x.log", "");
    assert_eq!(compared().await.removed, ["gone.py"]);
    let complete = with_unmanaged(&project, &compared().await, &NeverSkip).await.unwrap();
    assert!(complete.unmanaged.is_empty(), "{complete}");
}

#[tokio::test]
async fn what_git_refuses_is_told_in_its_words_before_any_request() {
    let site = Site::new(&[(".gitignore", "dist/\n"), ("dist/app.js", ""), ("m.py", "")]);
    repository(&site, "");
    git(site.root(), &["add", "-f", "dist/app.js"]);
    site.put(".git/index", "garbage");
    let error = site.compare(None).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("index file") && text.contains("no_git=True"), "{text}");
    assert!(site.model.host().log.is_empty());
    let without = SelectOptions { no_git: true, ..SelectOptions::default() };
    assert_eq!(select(&site, &without).await.added, [".gitignore", "m.py"]);
}

#[tokio::test]
async fn a_merge_that_is_not_finished_is_refused() {
    let site = Site::new(&[("a", "1")]);
    repository(&site, "");
    git(site.root(), &["checkout", "-qb", "other"]);
    site.put("a", "2");
    git(site.root(), &["commit", "-qam", "2"]);
    git(site.root(), &["checkout", "-q", "-"]);
    site.put("a", "3");
    git(site.root(), &["commit", "-qam", "3"]);
    let merge =
        std::process::Command::new("git").args(["merge", "-q", "other"]).current_dir(site.root()).output().unwrap();
    assert!(!merge.status.success());
    let text = site.compare(None).await.unwrap_err().to_string();
    assert!(text.contains("merge is not finished") && text.contains(": a."), "{text}");
    assert!(site.model.host().log.is_empty());
}

#[tokio::test]
async fn what_git_ignores_on_the_host_is_not_ours_to_remove() {
    let site = Site::new(&[("a", ""), ("old.log", ""), ("link-to-be/x", ""), ("linked/x", "")]);
    site.run(&DeployOptions::default()).await;
    git(site.root(), &["init", "-q"]);
    site.put(".gitignore", "*.log\n/cache/\n:odd\n/only/*\n!/only/*/\n!/only/**/*.py\n/kept/*\n!/kept/.keep\n");
    // The rule matches no name, not even that of a folder.
    site.put("slash/.gitignore", "/\n");
    site.remove("old.log");
    let ignored = ["cache/deep/x", "only/b", "other.log", ":odd", "kept/x", "kept/deep/x"];
    let others = ["only/deep/a.py", ":(glob)fine", "fine", "kept/.keep", "slash/deep/x"];
    for path in ignored.into_iter().chain(others) {
        site.model.host().put(path, "x");
    }
    // Git says nothing about what lies behind a link.
    std::fs::rename(site.root().join("link-to-be"), site.root().join("moved")).unwrap();
    symlink("moved", site.root().join("link-to-be")).unwrap();
    let found = with_unmanaged(&site.project(), &site.diff().await, &NeverSkip).await.unwrap();
    assert!(found.removed.is_empty(), "{found}");
    assert_eq!(found.unmanaged, [":(glob)fine", "fine", "kept/.keep", "only/deep/a.py", "slash/deep/x"]);
}

#[tokio::test]
async fn mode_bits_are_those_that_git_records_where_it_does_not_go_by_the_work_tree() {
    let site = Site::new(&[("run.sh", ""), ("a.py", ""), ("new.sh", "")]);
    let make_program = |name: &str| {
        std::fs::set_permissions(site.root().join(name), std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["config", "core.fileMode", "false"]);
    git(site.root(), &["add", "run.sh", "a.py"]);
    git(site.root(), &["update-index", "--chmod=+x", "run.sh"]);
    make_program("a.py");
    make_program("new.sh");
    let mode = |name: &str| {
        let host = site.model.host();
        let (_, text) = host.files.iter().rfind(|(place, _)| place.contains("manifest-")).unwrap();
        serde_json::from_slice::<serde_json::Value>(text).unwrap()["files"][name]["mode"].as_u64()
    };
    site.run(&DeployOptions::default()).await;
    assert_eq!((mode("run.sh"), mode("a.py"), mode("new.sh")), (Some(0o755), Some(0o644), Some(0o700)));
    git(site.root(), &["config", "core.fileMode", "true"]);
    site.put("a.py", "changed");
    site.run(&DeployOptions::default()).await;
    assert_eq!(mode("a.py"), Some(0o700));
}

#[tokio::test]
async fn a_build_result_of_another_machine_is_left_unless_asked_for() {
    let site = Site::new(&[
        ("a.py", ""),
        (".gitignore", "static/\n"),
        (".pythonanywhereignore", "!static/\n"),
        ("static/app.js", ""),
    ]);
    git(site.root(), &["init", "-q"]);
    git(site.root(), &["add", "."]);
    site.run(&DeployOptions::default()).await;
    let manifest = || {
        let host = site.model.host();
        let (place, text) = host.files.iter().rfind(|(place, _)| place.contains("manifest-")).unwrap();
        (place.clone(), serde_json::from_slice::<serde_json::Value>(text).unwrap())
    };
    let (place, mut value) = manifest();
    assert_eq!(value["files"]["a.py"]["origin"], "tracked");
    let machine = value["files"]["static/app.js"]["origin"]["untracked"].as_str().unwrap().to_owned();
    assert_eq!(machine.len(), 16);

    // Gone here, on the machine that built it.
    site.remove("static/app.js");
    assert_eq!(site.diff().await.removed, ["static/app.js"]);

    // Somebody else sent it.
    value["files"]["static/app.js"]["origin"]["untracked"] = "0123456789abcdef".into();
    site.model.host().files.insert(place, value.to_string().into());
    let found = site.diff().await;
    assert_eq!((found.removed.len(), found.left.as_slice()), (0, &["static/app.js".to_owned()][..]));
    assert!(told(&found, &["static/app.js", "delete_untracked=True"]), "{:?}", found.warnings);
    assert!(site.run(&deleting()).await.deleted.is_empty());
    let asked = SelectOptions { delete_untracked: true, ..SelectOptions::default() };
    let report = site.deploy(&select(&site, &asked).await, &deleting()).await;
    assert_eq!(report.deleted, ["static/app.js", "static"]);
}
