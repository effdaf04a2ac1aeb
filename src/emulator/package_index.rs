//! A folder of packages, served as a simple index (PEP 503) from which pip in the account installs.
//!
//! It lets pip run for real without the network. It has a port of its own on loopback, so that its requests are neither
//! counted by the rate limit nor logged as the API's. Files that come into the folder later are served, too.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as PathSegment, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpListener;

use super::files::{download, on_disk, open_file};
use super::listener::accept_all;
use super::response::{self, Answer};
use crate::digest::sha256;

/// The address of the index on the server.
pub(crate) const PATH: &str = "/simple/";

/// The endings of source distributions; that of wheels is `.whl`.
const SOURCE_ENDINGS: [&str; 2] = [".tar.gz", ".zip"];

type Folder = State<Arc<PathBuf>>;

/// Serves the packages in `folder` until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, folder: PathBuf) {
    let index = Router::new()
        .route(PATH, get(projects))
        .route("/simple/{project}/", get(files))
        .route("/packages/{file}", get(package))
        .with_state(Arc::new(folder));
    accept_all(listener, |socket| {
        let index = TowerToHyperService::new(index.clone());
        async move { auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), index).await }
    })
    .await;
}

/// A project's name as PEP 503 compares it: in lower case, with one hyphen for each run of `-`, `_` and `.`.
fn normalized(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// The project of a package's file name; `None` for other files.
fn project_of(file: &str) -> Option<String> {
    let name = match file.strip_suffix(".whl") {
        Some(wheel) => wheel.split('-').next(),
        None => SOURCE_ENDINGS.iter().find_map(|ending| Some(file.strip_suffix(ending)?.rsplit_once('-')?.0)),
    };
    name.map(normalized)
}

/// The file names of the packages in a folder, sorted.
fn packages(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string();
        names.extend(name.ok().filter(|name| project_of(name).is_some()));
    }
    names.sort_unstable();
    Ok(names)
}

fn page(links: &str) -> Response {
    response::html(StatusCode::OK, format!("<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n"))
}

fn missing() -> Response {
    response::html(StatusCode::NOT_FOUND, "<h1>404 Not Found</h1>")
}

async fn projects(State(folder): Folder) -> Answer {
    on_disk(move || match packages(&folder) {
        Ok(files) => {
            let names: BTreeSet<String> = files.iter().filter_map(|file| project_of(file)).collect();
            page(&names.iter().fold(String::new(), |mut links, name| {
                let _ = writeln!(links, "<a href=\"{PATH}{name}/\">{name}</a><br>");
                links
            }))
        }
        Err(error) => response::internal(&error),
    })
    .await
}

async fn files(State(folder): Folder, PathSegment(project): PathSegment<String>) -> Answer {
    on_disk(move || match links(&folder, &normalized(&project)) {
        Ok(links) if links.is_empty() => missing(),
        Ok(links) => page(&links),
        Err(error) => response::internal(&error),
    })
    .await
}

/// The links to a project's packages, each with its checksum.
fn links(folder: &Path, project: &str) -> io::Result<String> {
    let mut links = String::new();
    for file in packages(folder)?.iter().filter(|file| project_of(file).as_deref() == Some(project)) {
        let digest = sha256(fs::read(folder.join(file))?);
        let address = utf8_percent_encode(file, NON_ALPHANUMERIC);
        let _ = writeln!(links, "<a href=\"/packages/{address}#sha256={digest}\">{file}</a><br>");
    }
    Ok(links)
}

async fn package(State(folder): Folder, PathSegment(file): PathSegment<String>) -> Answer {
    // A name with a slash, or another file of the folder, is no package.
    if file.contains('/') || project_of(&file).is_none() {
        return Ok(missing());
    }
    on_disk(move || {
        let path = folder.join(&file);
        let opened = fs::metadata(&path).and_then(|metadata| open_file(&path, &metadata));
        match opened {
            Ok((body, length)) => download(body, length, "application/octet-stream"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing(),
            Err(error) => response::internal(&error),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_their_file_names() {
        for (file, project) in [
            ("Django-5.2.1-py3-none-any.whl", Some("django")),
            ("typing_extensions-4.1-py3-none-any.whl", Some("typing-extensions")),
            ("zope.interface-6.0-1-cp311-cp311-linux_x86_64.whl", Some("zope-interface")),
            ("django-tag.git_-2.0.tar.gz", Some("django-tag-git")),
            ("some-thing-1.0.zip", Some("some-thing")),
            ("README.md", None),
        ] {
            assert_eq!(project_of(file).as_deref(), project, "{file}");
        }
    }
}
