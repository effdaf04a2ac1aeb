//! Whether the disk takes another file. No call of the service tells how full it is, so one is written and deleted.

use bytes::Bytes;

use super::finding::{Check, Finding};
use crate::client::{Client, RemotePath};
use crate::error::{ErrorKind, Result};
use crate::host::random_id;

/// The size of the file: a deploy of a page or two needs no more.
const PROBE: usize = 1 << 20;

pub(super) async fn examine(client: &Client) -> Finding {
    let written = match probe(client).await {
        Ok(written) => written,
        Err(error) => return Finding::error(Check::Disk, error.chain(), "pya doctor"),
    };
    match written {
        Ok(()) => Finding::ok(Check::Disk, "it takes another 1 MiB"),
        Err(why) => {
            let message =
                format!("it does not take another 1 MiB: delete what is not needed, such as pip's cache: {why}");
            Finding::error(Check::Disk, message, format!("pya rm -r /home/{}/.cache", client.user()))
        }
    }
}

/// Writes a file and deletes it. The inner error is the service's, about the disk as far as anybody can tell.
async fn probe(client: &Client) -> Result<std::result::Result<(), String>> {
    let folder = RemotePath::home(client.user())?.join(".pya")?;
    let file = folder.join(&format!("doctor-{}", random_id(8)?))?;
    let written = client.upload_file(&file, Bytes::from(vec![b'\n'; PROBE])).await;
    // Also where its answer was lost.
    match client.delete_path(&file).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok(written.map(drop).map_err(|error| error.chain()))
}
