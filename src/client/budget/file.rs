//! How processes of one user share the rate budget: through a small file in the cache folder.
//!
//! `pya diff` and then `pya deploy` are two processes and one account. Best effort: a file that cannot be read or
//! written costs at most a wait after a 429. It contains endpoint names and times, nothing secret.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use etcetera::BaseStrategy;

use super::owner::Owner;
use crate::client::endpoints::WINDOW;
use crate::clock::{self, Tick};
use crate::digest::sha256;
use crate::per_process::PerProcess;

/// Endpoint name → process → when each slot frees, in milliseconds since 1970.
///
/// A process replaces its own times and keeps those of others: so answers within the same millisecond all count, and a
/// second write counts none twice.
type Times = BTreeMap<String, BTreeMap<String, Vec<u64>>>;

/// The name of this process in the file.
static WRITER: PerProcess<String> = PerProcess::new(|_parent| format!("{:016x}", fastrand::u64(..)));

/// The times that earlier processes wrote for one endpoint, in order.
pub(crate) fn load(owner: &Owner, endpoint: &str) -> Vec<Tick> {
    let Some(path) = path(owner) else { return Vec::new() };
    let others = read(&path).remove(endpoint).unwrap_or_default();
    let (now, wall) = (clock::now(), clock::wall());
    let mut ticks: Vec<_> = others.into_values().flatten().filter_map(|time| to_tick(time, now, wall)).collect();
    ticks.sort_unstable();
    ticks
}

/// Writes the times of this process.
pub(crate) fn store(owner: &Owner, logs: &[(&'static str, Vec<Tick>)]) {
    let Some(path) = path(owner) else { return };
    let mut times = read(&path);
    replace(&mut times, &WRITER.get(), logs);
    if let Err(error) = write(&path, &times) {
        log::debug!("the rate budget could not be written to {}: {error}", path.display());
    }
}

fn replace(times: &mut Times, writer: &str, logs: &[(&'static str, Vec<Tick>)]) {
    let (now, wall) = (clock::now(), clock::wall());
    for (endpoint, frees) in logs {
        let own = frees.iter().map(|&tick| millis(wall + (tick - now))).collect();
        times.entry((*endpoint).to_owned()).or_default().insert(writer.to_owned(), own);
    }
    times.retain(|_, writers| {
        writers.retain(|_, times| {
            times.retain(|&time| to_tick(time, now, wall).is_some());
            !times.is_empty()
        });
        !writers.is_empty()
    });
}

fn path(owner: &Owner) -> Option<PathBuf> {
    let folder = etcetera::choose_base_strategy().ok()?.cache_dir().join("pythonanywhere-api");
    let digest = sha256(format!("{}\0{}", owner.host, owner.user));
    Some(folder.join(format!("rate-{}.json", &digest[..16])))
}

fn read(path: &Path) -> Times {
    fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn write(path: &Path, times: &Times) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(times)?)?;
    file.persist(path)?;
    Ok(())
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `None` for times that are over, and for those that cannot be true because they are too far ahead.
fn to_tick(time: u64, now: Tick, wall: SystemTime) -> Option<Tick> {
    let ahead = (UNIX_EPOCH + Duration::from_millis(time)).duration_since(wall).ok()?;
    (ahead <= WINDOW * 2 && !ahead.is_zero()).then(|| now + ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_and_old_or_absurd_ones_do_not() {
        let (now, wall) = (clock::now(), clock::wall());
        let soon = to_tick(millis(wall + Duration::from_secs(30)), now, wall).unwrap();
        assert!((soon - now).abs_diff(Duration::from_secs(30)) <= Duration::from_millis(1));
        assert_eq!(to_tick(millis(wall - Duration::from_secs(1)), now, wall), None);
        assert_eq!(to_tick(millis(wall + Duration::from_secs(1000)), now, wall), None);
    }

    #[test]
    fn answers_within_one_millisecond_all_count_and_are_written_once() {
        let mut times = Times::new();
        let burst = vec![clock::now() + Duration::from_secs(30); 40];
        for _ in 0..2 {
            replace(&mut times, "first", &[("cpu", burst.clone())]);
        }
        replace(&mut times, "second", &[("cpu", burst[..2].to_vec())]);
        let counts: Vec<_> = times["cpu"].iter().map(|(writer, times)| (writer.as_str(), times.len())).collect();
        assert_eq!(counts, [("first", 40), ("second", 2)]);
        replace(&mut times, "first", &[("cpu", Vec::new())]);
        assert_eq!(times["cpu"].len(), 1, "expired entries are dropped");
    }

    #[test]
    fn a_garbage_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/rate.json");
        assert!(read(&path).is_empty());
        let times = Times::from([("cpu".to_owned(), BTreeMap::from([("me".to_owned(), vec![1, 2])]))]);
        write(&path, &times).unwrap();
        assert_eq!(read(&path), times);
        fs::write(&path, "not json").unwrap();
        assert!(read(&path).is_empty());
    }
}
