//! Deploys: selection, diff, requests, deletes, cuts and interleavings, against a model of the service.

pub mod crash;
mod deletes;
mod git;
mod git_laws;
mod history;
mod laws;
mod model;
mod protection;
mod requests;
mod selection;
mod sockets;
mod state;
mod takeover;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::Model;
use pythonanywhere_api::deploy::{
    Compare, DeployDiff, DeployOptions, DeployReport, Project, Recorder, SelectOptions, deploy, diff,
};
use pythonanywhere_api::finder::NeverSkip;
use pythonanywhere_api::{RemotePath, Result};
use tempfile::TempDir;

/// A local project and its host.
pub struct Site {
    pub folder: TempDir,
    pub model: Model,
}

impl Site {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), model: Model::new() };
        for (path, content) in files {
            site.put(path, content);
        }
        site
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn put(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.root().join(path)).unwrap();
    }

    pub fn project(&self) -> Project<Model> {
        project(&self.model, self.root())
    }

    pub async fn diff(&self) -> DeployDiff {
        self.compare(None).await.unwrap()
    }

    pub async fn compare(&self, mode: Option<Compare>) -> Result<DeployDiff> {
        diff(&self.project(), &SelectOptions::default(), &NeverSkip, mode).await
    }

    pub async fn deploy(&self, diff: &DeployDiff, options: &DeployOptions) -> DeployReport {
        deploy(&self.project(), diff, options, Arc::new(()), &Recorder::default()).await.unwrap()
    }

    /// Deploys a project on this host that is not the whole folder.
    pub async fn deploy_in(&self, project: &Project<Model>, diff: &DeployDiff) -> DeployReport {
        deploy(project, diff, &deleting(), Arc::new(()), &Recorder::default()).await.unwrap()
    }

    /// Diff and deploy.
    pub async fn run(&self, options: &DeployOptions) -> DeployReport {
        let diff = self.diff().await;
        self.deploy(&diff, options).await
    }

    /// The local files, protected ones included.
    pub fn local(&self) -> BTreeMap<String, Bytes> {
        local(self.root())
    }
}

/// Runs git in `folder` as somebody whose own settings play no part, and gives back what it printed.
pub fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "protocol.file.allow=always"]);
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn project(model: &Model, root: &Path) -> Project<Model> {
    let remote_root = RemotePath::parse("/home/u/p").unwrap();
    Project { client: model.clone(), local_root: root.to_owned(), remote_root }
}

pub fn local(root: &Path) -> BTreeMap<String, Bytes> {
    let mut files = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap().into());
            }
        }
    }
    files
}

pub fn deleting() -> DeployOptions {
    DeployOptions { delete: true, ..DeployOptions::default() }
}
