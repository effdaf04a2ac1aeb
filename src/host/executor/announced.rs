//! Deploys and rollbacks that the agent announces itself: the first signed request brings the intent, and the bundle or its
//! first piece; the last one brings back the receipt. A second signed request ends the deploy. The API is not asked.
//!
//! Only a signed answer counts. A request without one may have been taken all the same, or may still be on its way. So
//! before anything else is done, its nonce is used up through the API: a nonce is a file that can be made once, so whoever
//! makes it first decides whether that request counts, now or ever. Where the agent was faster, the job's receipt or the
//! agent's mark in its folder tells that it has begun, and it is waited for as any job. Else nothing has begun, and the
//! deploy begins anew through the API, announcement included. It keeps its id then: should a worker that was stopped for
//! long wake up meanwhile, it does the same job, whose lock lets one of them work and whose receipt answers the other,
//! and does nothing once the intent is gone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::webapp::{POLL, STEP, run_steps, signed_receipt};
use crate::api::{Uploaded, if_there};
use crate::blocking::blocking;
use crate::clock::{self, Tick};
use crate::error::{Error, ErrorKind, Result};
use crate::host::agent::Agent;
use crate::host::bundle::{Bundle, Part};
use crate::host::job::{Job, Receipt};
use crate::host::site::{Answer, DEPLOY, FINISH};
use crate::host::workspace::JobFolder;

/// How often a piece is sent again whose answer was lost.
const TRIES: usize = 3;

/// How long the agent may take from a nonce to its mark, once it has the request.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(6);

/// The mark in the folder of a job: the intent was written, and the deploy was alone then.
const MARK: &str = "announced";

/// What the agent is to announce.
pub struct Announcement<'a> {
    /// The intent.
    pub note: Value,
    /// The newest manifest that the caller knows of.
    pub newest: Option<u64>,
    /// Is called once the intent is there, and nobody else's.
    pub is_announced: &'a (dyn Fn() + Sync),
}

/// What came of it.
#[derive(Debug)]
pub enum Announced {
    /// The job's receipt.
    Ran(Receipt),
    /// Nothing was begun, nor can it be any more, for this reason.
    NotBegun(String),
}

/// What a request brought about.
enum Said {
    /// The piece was taken, and more are due.
    Taken,
    /// The agent is not the only one who deploys, or not up to date: it took the intent back.
    NotAlone,
    Receipt(Receipt),
    /// No answer that counts, for this reason; the nonce of the request.
    Lost(String, String),
    /// Nothing was taken, for this reason.
    NotTaken(String),
}

impl Agent {
    /// Announces a deploy or a rollback and has its job done, with `bundle` in the requests themselves.
    ///
    /// # Errors
    /// As for any job of the agent: what was done then is unknown, and the notes in the state folder tell the truth.
    pub async fn announce(
        &self,
        job_folder: &JobFolder,
        job: &Job,
        bundle: Option<&Bundle>,
        announcement: Announcement<'_>,
        limit: Duration,
    ) -> Result<Announced> {
        let Announcement { note, newest, is_announced } = announcement;
        let first = json!({ "note": note, "newest": newest });
        let mut pieces = Pieces::of(bundle);
        let piece = self.next(&mut pieces).await?;
        let receipt = match self.bring(job_folder, job, &first, piece.as_ref()).await? {
            Said::Taken => None,
            Said::Receipt(receipt) => Some(receipt),
            Said::NotAlone => return Ok(Announced::NotBegun("its agent sees another deploy".to_owned())),
            Said::NotTaken(why) => {
                self.site.leave_alone();
                return Ok(Announced::NotBegun(why));
            }
            Said::Lost(why, nonce) => {
                log::warn!("no signed answer came from {}: {why}", self.site.domain);
                self.site.leave_alone();
                if !self.has_begun(job_folder, job, &nonce).await? {
                    return Ok(Announced::NotBegun(why));
                }
                job_folder.look(job).await?
            }
        };
        is_announced();
        if pieces.left == 0 {
            return self.go_on(job_folder, job, receipt, limit).await.map(Announced::Ran);
        }
        self.bring_rest(job_folder, job, pieces, limit).await.map(Announced::Ran)
    }

    /// Brings a job what it turned out to lack.
    ///
    /// # Errors
    /// As for any job of the agent.
    pub async fn bring_more(
        &self,
        job_folder: &JobFolder,
        job: &Job,
        bundle: &Bundle,
        limit: Duration,
    ) -> Result<Receipt> {
        self.bring_rest(job_folder, job, Pieces::of(Some(bundle)), limit).await
    }

    async fn bring_rest(
        &self,
        job_folder: &JobFolder,
        job: &Job,
        mut pieces: Pieces<'_>,
        limit: Duration,
    ) -> Result<Receipt> {
        let mut receipt = None;
        while let Some(piece) = self.next(&mut pieces).await? {
            receipt = self.bring_piece(job_folder, job, &piece, pieces.left == 0).await?;
        }
        self.go_on(job_folder, job, receipt, limit).await
    }

    /// Brings a piece, more than once where no signed answer comes: the receipt, if the answer has it.
    async fn bring_piece(
        &self,
        job_folder: &JobFolder,
        job: &Job,
        piece: &Piece,
        is_last: bool,
    ) -> Result<Option<Receipt>> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.bring(job_folder, job, &json!({}), Some(piece)).await? {
                Said::Taken => return Ok(None),
                Said::Receipt(receipt) => return Ok(Some(receipt)),
                // The same piece twice is harmless.
                Said::Lost(why, _) | Said::NotTaken(why) if tries < TRIES => {
                    log::warn!("no signed answer came from {}: {why}", self.site.domain);
                    clock::sleep(POLL).await;
                }
                // The job tells why, if it knows.
                _ if is_last => return Ok(None),
                Said::Lost(why, _) | Said::NotTaken(why) => return Err(Error::job(why)),
                Said::NotAlone => return Err(Error::held("another deploy has taken over")),
            }
        }
    }

    /// Goes on with a job until it is over.
    async fn go_on(
        &self,
        job_folder: &JobFolder,
        job: &Job,
        receipt: Option<Receipt>,
        limit: Duration,
    ) -> Result<Receipt> {
        if let Some(receipt) = receipt.filter(Receipt::is_over) {
            return Ok(receipt);
        }
        let body = json!({ "state": job_folder.state.name(), "limit": STEP, "job": job }).to_string();
        Box::pin(run_steps(self, job_folder, job, &body, limit)).await
    }

    /// The next piece.
    async fn next(&self, pieces: &mut Pieces<'_>) -> Result<Option<Piece>> {
        let Some((part, offset)) = pieces.next() else { return Ok(None) };
        let size = self.site.piece(pieces.left).min(part.size - offset);
        let (file, name) = (pieces.file(part), part.name.clone());
        pieces.take(size);
        let read = move || {
            let local = |source| Error::Local { path: file.clone(), source };
            let mut opened = File::open(&file).map_err(local)?;
            opened.seek(SeekFrom::Start(offset)).map_err(local)?;
            let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
            opened.read_exact(&mut content).map_err(local)?;
            Ok(Piece { name, offset, content })
        };
        blocking(read).await.map(Some)
    }

    async fn bring(&self, job_folder: &JobFolder, job: &Job, first: &Value, piece: Option<&Piece>) -> Result<Said> {
        let body = body(job_folder, job, first, piece);
        let begun = clock::now();
        let (nonce, answer) = self.site.send_once(&self.key, DEPLOY, body).await?;
        Ok(match answer {
            Ok(Answer::Taken(Some(said))) if said["alone"] == Value::Bool(false) => Said::NotAlone,
            Ok(Answer::Taken(Some(said))) if said["got"] == Value::Bool(true) => {
                self.note_speed(piece, begun);
                Said::Taken
            }
            Ok(Answer::Taken(Some(said))) => match signed_receipt(&said, job) {
                Some(receipt) => Said::Receipt(receipt),
                None => Said::Lost("its agent did not do it".to_owned(), nonce),
            },
            Ok(Answer::Taken(None)) => Said::Lost("its agent is an older one".to_owned(), nonce),
            Ok(Answer::Refused) => Said::NotTaken("what is sent to it does not arrive whole".to_owned()),
            Ok(Answer::Other(status)) => Said::Lost(format!("it answered {status}"), nonce),
            Err(error) if error.is_unsent() => Said::NotTaken(error.chain()),
            Err(error) if error.is_ambiguous() || error.kind() == ErrorKind::Decode => Said::Lost(error.chain(), nonce),
            Err(error) => return Err(error),
        })
    }

    fn note_speed(&self, piece: Option<&Piece>, begun: Tick) {
        let bytes = piece.map_or(0, |piece| piece.content.len() as u64);
        self.site.note_speed(bytes, clock::now() - begun);
    }

    /// Whether the agent took the first request of a deploy. If it did not, it does not take it later either.
    async fn has_begun(&self, job_folder: &JobFolder, job: &Job, nonce: &str) -> Result<bool> {
        if self.spend(job_folder, nonce).await? == Uploaded::Created {
            return Ok(false);
        }
        let end = clock::now() + ANNOUNCED_WITHIN;
        loop {
            let entries = if_there(job_folder.client.list_dir(&job_folder.folder(&job.id)?).await)?.unwrap_or_default();
            // Once the job is over, its folder is gone and its receipt is there.
            if entries.iter().any(|entry| entry.name == MARK) || job_folder.receipt(job).await?.is_some() {
                return Ok(true);
            }
            if clock::now() >= end {
                return Ok(false);
            }
            clock::sleep(POLL).await;
        }
    }

    /// Uses a nonce up, unless the agent was faster.
    async fn spend(&self, job_folder: &JobFolder, nonce: &str) -> Result<Uploaded> {
        let home = job_folder.state.parent().ok_or_else(|| Error::config("the state folder is in no folder"))?;
        let place = home.join(&format!("agent-{}/nonces/{nonce}", self.site.domain))?;
        job_folder.client.upload_file(&place, "used up by the client".into()).await
    }

    /// Reads a file of a job into a local file, which must be of this size; whether that could be done.
    ///
    /// # Errors
    /// `Local` if the file cannot be written.
    pub async fn fetch(&self, job_folder: &JobFolder, id: &str, name: &str, to: &Path, size: u64) -> Result<bool> {
        if self.check_takes_deploys().is_err() {
            return Ok(false);
        }
        let local = |source| Error::Local { path: to.to_owned(), source };
        let (mut file, mut left) = (File::create(to).map_err(local)?, size);
        let take = |piece: Bytes| {
            left = left.checked_sub(piece.len() as u64).ok_or_else(|| Error::job(format!("{name} is too long")))?;
            file.write_all(&piece).map_err(local)
        };
        let read = self.site.read_file(&self.key, job_folder.state.name(), &format!("work-{id}/{name}"), take).await;
        match read {
            Ok(is_read) => Ok(is_read && left == 0),
            Err(error @ Error::Local { .. }) => Err(error),
            Err(error) => {
                log::info!("{}: {}; asking the API", self.site.domain, error.chain());
                Ok(false)
            }
        }
    }

    /// Ends a deploy that this agent announced: removes its intent, or leaves it as `note`. Whether the intent was there;
    /// `None` if no signed answer says so, and the API has to be asked.
    pub async fn finish(&self, job_folder: &JobFolder, id: &str, note: Option<&Value>) -> Option<bool> {
        self.check_takes_deploys().ok()?;
        let body = json!({ "state": job_folder.state.name(), "id": id, "note": note }).to_string();
        let answer = self.site.send_once(&self.key, FINISH, body.into_bytes()).await;
        match answer.and_then(|(_, answer)| answer) {
            Ok(Answer::Taken(Some(said))) => said["ended"].as_bool(),
            Ok(_) => None,
            Err(error) => {
                log::debug!("{}: {}", self.site.domain, error.chain());
                None
            }
        }
        .or_else(|| {
            log::info!("{}: no signed answer came to the end of the deploy; asking the API", self.site.domain);
            self.site.leave_alone();
            None
        })
    }
}

/// The body of a request: a line of JSON, and the content of the piece.
fn body(job_folder: &JobFolder, job: &Job, first: &Value, piece: Option<&Piece>) -> Vec<u8> {
    let mut head = json!({ "state": job_folder.state.name(), "limit": STEP, "job": job });
    if let (Value::Object(head), Value::Object(first)) = (&mut head, first.clone()) {
        head.extend(first);
        head.extend(piece.map(|piece| ("piece".to_owned(), json!([piece.name, piece.offset]))));
    }
    let mut body = head.to_string().into_bytes();
    body.push(b'\n');
    body.extend(piece.into_iter().flat_map(|piece| &piece.content));
    body
}

/// A piece of a part.
struct Piece {
    name: String,
    offset: u64,
    content: Vec<u8>,
}

/// What is left of a bundle.
struct Pieces<'a> {
    bundle: Option<&'a Bundle>,
    part: usize,
    offset: u64,
    left: u64,
}

impl<'a> Pieces<'a> {
    fn of(bundle: Option<&'a Bundle>) -> Self {
        let left = bundle.iter().flat_map(|bundle| &bundle.parts).map(|part| part.size).sum();
        Self { bundle, part: 0, offset: 0, left }
    }

    fn next(&self) -> Option<(&'a Part, u64)> {
        self.bundle?.parts.get(self.part).map(|part| (part, self.offset))
    }

    fn file(&self, part: &Part) -> PathBuf {
        self.bundle.map(|bundle| bundle.file(part)).unwrap_or_default()
    }

    fn take(&mut self, size: u64) {
        self.left -= size;
        self.offset += size;
        if self.next().is_some_and(|(part, offset)| offset >= part.size) {
            (self.part, self.offset) = (self.part + 1, 0);
        }
    }
}
