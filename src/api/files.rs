//! `files/path`, `files/sharing`, `files/tree`: the files of the account.
//!
//! `files/path` answers with a JSON listing for a folder and with the bytes for a file. Only the content type
//! distinguishes them: a file that contains JSON comes as `application/octet-stream`. `files/tree` is no basis for
//! decisions, because it is silently cut.

use std::path::Path;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{Client, Destination, FileContent, RemotePath, Request, Response};
use crate::error::{Error, Result};

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without its folder.
    pub name: String,
    /// Whether the service calls it a directory.
    pub is_dir: bool,
    /// Whether the service calls it a file. What it calls neither is read like one, and never deleted as one: a delete
    /// takes all that is in a folder.
    pub is_file: bool,
}

/// What an upload did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// The file is new.
    Created,
    /// The file replaced another one.
    Replaced,
}

#[derive(Deserialize)]
struct ListingEntry {
    #[serde(rename = "type", default)]
    kind: String,
}

fn file_url(path: &RemotePath) -> String {
    format!("files/path{}", path.quoted())
}

impl Client {
    /// Lists the folder at `path`, one level deep, sorted by name.
    ///
    /// Endpoint: `GET files/path{path}`.
    ///
    /// # Errors
    /// `NotFound` if nothing is there, `WrongType` if a file is, `Decode` if the answer is no complete listing.
    pub async fn list_dir(&self, path: &RemotePath) -> Result<Vec<Entry>> {
        parse_listing(&self.listing_answer(path).await?)
    }

    /// As [`list_dir`](Self::list_dir), but in the service's form: name to type and URL.
    pub(crate) async fn listing(&self, path: &RemotePath) -> Result<Map<String, Value>> {
        let response = self.listing_answer(path).await?;
        parse_listing(&response)?;
        response.json("the listing of a folder")
    }

    async fn listing_answer(&self, path: &RemotePath) -> Result<Response> {
        let mut url = file_url(path);
        // The documented form of a folder; without it the service may redirect.
        if !url.ends_with('/') {
            url.push('/');
        }
        let response = self.send(Request::get(url)).await?.error_for_status()?;
        if response.is_file_content() {
            return Err(Error::WrongType { path: path.to_string(), found: "a file", expected: "a folder" });
        }
        Ok(response)
    }

    /// Reads the file at `path`.
    ///
    /// Endpoint: `GET files/path{path}`.
    ///
    /// # Errors
    /// `NotFound` if nothing is there, `WrongType` if a folder is, `Decode` for anything else (such as the page of a
    /// proxy).
    pub async fn read_file(&self, path: &RemotePath) -> Result<Bytes> {
        self.read(path, Request::get(file_url(path))).await
    }

    /// As [`read_file`](Self::read_file), for a file that others may have written: at most `bytes` of memory.
    ///
    /// # Errors
    /// As there; `Decode` if the file is longer.
    pub async fn read_file_at_most(&self, path: &RemotePath, bytes: usize) -> Result<Bytes> {
        self.read(path, Request::get(file_url(path)).at_most(bytes)).await
    }

    async fn read(&self, path: &RemotePath, request: Request) -> Result<Bytes> {
        let response = self.send(request).await?.error_for_status()?;
        if response.is_file_content() { Ok(response.body) } else { Err(no_file(path, &response)) }
    }

    /// Reads the first bytes of the file at `path`, fewer if it is shorter. The rest is not transferred.
    ///
    /// Endpoint: `GET files/path{path}`.
    ///
    /// # Errors
    /// As [`Client::read_file`].
    pub async fn read_head(&self, path: &RemotePath, bytes: usize) -> Result<Bytes> {
        let response = self.send(Request::get(file_url(path)).head(bytes)).await?.error_for_status()?;
        if response.is_file_content() { Ok(response.body) } else { Err(no_file(path, &response)) }
    }

    /// Writes the file at `path` to the file `to` on this machine and returns its length in bytes.
    ///
    /// Endpoint: `GET files/path{path}`. The content goes to a temporary file beside `to`, which replaces an
    /// existing file once it is complete (its mode is kept, and links are followed). On an error, and when the call is
    /// dropped, `to` is as it was and the temporary file is gone. An answer that is cut off is requested again from its
    /// start.
    ///
    /// # Errors
    /// As [`Client::read_file`]; `Local` if `to` is not a regular file or cannot be written.
    pub async fn download(&self, path: &RemotePath, to: &Path) -> Result<u64> {
        self.save(path, to, Request::get(file_url(path))).await
    }

    /// As [`download`](Self::download), for a file that is not expected to be longer than `bytes`.
    ///
    /// # Errors
    /// As there; `Decode` if the file is longer.
    pub async fn download_at_most(&self, path: &RemotePath, to: &Path, bytes: u64) -> Result<u64> {
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.save(path, to, Request::get(file_url(path)).at_most(most)).await
    }

    async fn save(&self, path: &RemotePath, to: &Path, request: Request) -> Result<u64> {
        let destination = Destination::new(to).await?;
        let request = request.save_to(destination.clone());
        let response = self.send(request).await?.error_for_status()?;
        destination.place().await?.ok_or_else(|| no_file(path, &response))
    }

    /// Writes the file at `path`, making its folders and replacing what is there.
    ///
    /// Endpoint: `POST files/path{path}`. Safe to repeat, so it is retried.
    ///
    /// # Errors
    /// As the service answers: `BadRequest`, `Forbidden`, 413 for files over 100 MiB, …
    pub async fn upload_file(&self, path: &RemotePath, content: Bytes) -> Result<Uploaded> {
        self.upload_from(path, content).await
    }

    /// Writes the file at `path` as [`Client::upload_file`] does, from bytes, from a local file, or from a
    /// [`Source`](crate::client::ContentSource); the last two are read while they are sent.
    ///
    /// Endpoint: `POST files/path{path}`. It is retried unless the source cannot be opened again.
    ///
    /// # Errors
    /// As [`Client::upload_file`]; `Local` if the file cannot be read, or changes its length while it is sent; any
    /// error of the source. In these cases the service gets no complete request, so nothing changes there.
    pub async fn upload_from(&self, path: &RemotePath, content: impl Into<FileContent>) -> Result<Uploaded> {
        // The service ignores the file name, but a part without one would be a form field.
        let request = Request::post(file_url(path)).file("content", "content", content);
        let response = self.send(request).await?.error_for_status()?;
        Ok(if response.status == StatusCode::CREATED { Uploaded::Created } else { Uploaded::Replaced })
    }

    /// Deletes the file at `path`, or the folder with everything in it.
    ///
    /// Endpoint: `DELETE files/path{path}`.
    ///
    /// # Errors
    /// `NotFound` if nothing is there, `Forbidden` where the service protects it.
    pub async fn delete_path(&self, path: &RemotePath) -> Result<()> {
        self.send(Request::delete(file_url(path))).await?.error_for_status()?;
        Ok(())
    }

    /// Shares the file at `path`, so that everyone with the address can read it, and returns the address.
    ///
    /// Endpoint: `POST files/sharing/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn share_file(&self, path: &RemotePath) -> Result<Value> {
        let request = Request::post("files/sharing/").json(&json!({ "path": path.as_str() }))?;
        self.send(request).await?.error_for_status()?.json("the address of the shared file")
    }

    /// Paths of what is below the folder at `path`, two levels deep, without links and names that begin with a dot, and cut
    /// off at 1000 without a word. Those of folders end with a slash.
    ///
    /// Endpoint: `GET files/tree/?path={path}`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn tree(&self, path: &RemotePath) -> Result<Vec<String>> {
        let request = Request::get("files/tree/").query("path", path.as_str());
        self.send(request).await?.error_for_status()?.json("the paths below a folder")
    }

    /// The address under which the file at `path` is shared.
    ///
    /// Endpoint: `GET files/sharing/?path={path}`.
    ///
    /// # Errors
    /// `NotFound` if it is not shared.
    pub async fn sharing_status(&self, path: &RemotePath) -> Result<Value> {
        let request = Request::get("files/sharing/").query("path", path.as_str());
        self.send(request).await?.error_for_status()?.json("the address of the shared file")
    }

    /// Stops sharing the file at `path`.
    ///
    /// Endpoint: `DELETE files/sharing/?path={path}`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn unshare_file(&self, path: &RemotePath) -> Result<()> {
        let request = Request::delete("files/sharing/").query("path", path.as_str());
        self.send(request).await?.error_for_status()?;
        Ok(())
    }
}

/// The error for an answer that is not a file. An answer that is neither a file nor a folder, such as the HTML page of
/// a proxy or of a login, says nothing about what is on the host.
fn no_file(path: &RemotePath, response: &Response) -> Error {
    match parse_listing(response) {
        Ok(_) => Error::WrongType { path: path.to_string(), found: "a folder", expected: "a file" },
        Err(_) => response.unexpected("the content of a file"),
    }
}

fn parse_listing(response: &Response) -> Result<Vec<Entry>> {
    let wrong = || response.unexpected("the listing of a folder");
    let listing: Map<String, Value> = response.json("the listing of a folder")?;
    let mut entries = Vec::with_capacity(listing.len());
    for (name, value) in listing {
        let entry: ListingEntry = serde_json::from_value(value).map_err(|_| wrong())?;
        // A name with a slash, or one that climbs, would lead out of the folder.
        if name.is_empty() || name.contains(['/', '\0']) || matches!(name.as_str(), "." | "..") {
            return Err(wrong());
        }
        entries.push(Entry { name, is_dir: entry.kind == "directory", is_file: entry.kind == "file" });
    }
    entries.sort_unstable();
    Ok(entries)
}
