//! Which machine this is, since when it runs, and what tells a process from others that had its id.

pub(crate) use system::{boot_identity, started};

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::io::ErrorKind;

    use rustix::process::{Pid, test_kill_process};

    /// What tells this boot, and this namespace of process ids, from any other.
    pub(crate) fn boot_identity() -> Option<String> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{}{}", boot.trim(), namespace.display()))
    }

    /// When a process started; `Some(None)` if there is none with this id, `None` if that cannot be known.
    #[allow(clippy::option_option, reason = "not known and not there are different answers")]
    pub(crate) fn started(pid: u32) -> Option<Option<String>> {
        let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat,
            // Another user's process may be hidden rather than gone.
            Err(error) if error.kind() == ErrorKind::NotFound => return is_gone(pid).then_some(None),
            Err(_) => return None,
        };
        // The command's name, in parentheses, may hold anything; the start time is the 20th field after it.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        // A zombie does nothing any more.
        if matches!(state, "Z" | "X") {
            return Some(None);
        }
        Some(Some(fields.nth(18)?.to_owned()))
    }

    fn is_gone(pid: u32) -> bool {
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        id.is_none_or(|id| test_kill_process(id) == Err(rustix::io::Errno::SRCH))
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use std::process::Command;

    /// What tells this boot from any other.
    pub(crate) fn boot_identity() -> Option<String> {
        output("sysctl", &["-n", "kern.boottime"])?
    }

    /// When a process started; `Some(None)` if there is none with this id, `None` if that cannot be known.
    #[allow(clippy::option_option, reason = "not known and not there are different answers")]
    pub(crate) fn started(pid: u32) -> Option<Option<String>> {
        output("ps", &["-o", "lstart=", "-p", &pid.to_string()])
    }

    /// What a program prints; `Some(None)` if it prints nothing, `None` if it cannot be run.
    #[allow(clippy::option_option, reason = "not known and not there are different answers")]
    fn output(program: &str, arguments: &[&str]) -> Option<Option<String>> {
        let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Some((!text.is_empty()).then_some(text))
    }
}

/// When a process started, Windows tells only through calls that are not safe in Rust's sense. So each process that
/// deploys holds a file of its own open in the cache folder, which no other process can open until it ends, however it ends.
#[cfg(windows)]
mod system {
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, ErrorKind, Write};
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::{Path, PathBuf};
    use std::process;
    use std::sync::LazyLock;

    use etcetera::BaseStrategy;

    /// What opening a file fails with that another process has opened for itself.
    const SHARING_VIOLATION: i32 = 32;

    /// The file with the random id of this machine.
    const MACHINE: &str = "machine";

    static OWN: LazyLock<Option<Mark>> = LazyLock::new(|| Mark::make(&folder()?).ok());

    /// A file that is open as long as this process lives.
    struct Mark {
        token: String,
        _open: File,
    }

    impl Mark {
        fn make(folder: &Path) -> io::Result<Self> {
            fs::create_dir_all(folder)?;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name() != MACHINE {
                    // That of a process that lives cannot be removed.
                    let _ = fs::remove_file(entry.path());
                }
            }
            let token = random()?;
            let place = folder.join(format!("{}-{token}", process::id()));
            let open = OpenOptions::new().write(true).create_new(true).share_mode(0).open(place)?;
            Ok(Self { token, _open: open })
        }
    }

    fn folder() -> Option<PathBuf> {
        let cache = etcetera::choose_base_strategy().ok()?.cache_dir();
        Some(cache.join("pythonanywhere-api").join("processes"))
    }

    fn random() -> io::Result<String> {
        getrandom::u64().map(|number| format!("{number:016x}")).map_err(io::Error::other)
    }

    /// What tells this machine from any other. Unlike elsewhere it outlives a restart, after which no file is open.
    pub(crate) fn boot_identity() -> Option<String> {
        identity(&folder()?).ok()
    }

    fn identity(folder: &Path) -> io::Result<String> {
        let place = folder.join(MACHINE);
        match fs::read_to_string(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read,
        }
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let id = random()? + &random()?;
        file.write_all(id.as_bytes())?;
        match file.persist_noclobber(&place) {
            Ok(_) => Ok(id),
            // Another process was faster.
            Err(_) => fs::read_to_string(place),
        }
    }

    /// What tells a process from others with the same id; `Some(None)` if there is none with this id, `None` if that cannot
    /// be known.
    #[allow(clippy::option_option, reason = "not known and not there are different answers")]
    pub(crate) fn started(pid: u32) -> Option<Option<String>> {
        if pid == process::id() {
            return OWN.as_ref().map(|own| Some(own.token.clone()));
        }
        mark_of(&folder()?, pid)
    }

    #[allow(clippy::option_option, reason = "not known and not there are different answers")]
    fn mark_of(folder: &Path, pid: u32) -> Option<Option<String>> {
        let prefix = format!("{pid}-");
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let Some(token) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) else { continue };
            match OpenOptions::new().read(true).share_mode(0).open(entry.path()) {
                Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => return Some(Some(token.to_owned())),
                Err(error) if error.kind() != ErrorKind::NotFound => return None,
                // Nobody holds it.
                _ => {}
            }
        }
        Some(None)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_process_is_known_by_the_file_that_it_holds_open() {
            let folder = tempfile::tempdir().unwrap();
            let (pid, place) = (process::id(), folder.path());
            assert_eq!(mark_of(place, pid), Some(None));
            let mark = Mark::make(place).unwrap();
            assert_eq!(mark_of(place, pid), Some(Some(mark.token.clone())));
            assert_eq!(mark_of(place, pid + 1), Some(None));
            let other = Mark::make(place).unwrap();
            assert_eq!(fs::read_dir(place).unwrap().count(), 2, "one that is held is not removed");
            drop((mark, other));
            assert_eq!(mark_of(place, pid), Some(None));
            drop(Mark::make(place).unwrap());
            assert_eq!(fs::read_dir(place).unwrap().count(), 1, "those of ended processes are removed");
        }

        #[test]
        fn the_id_of_a_machine_stays() {
            let folder = tempfile::tempdir().unwrap();
            let id = identity(&folder.path().join("new")).unwrap();
            assert_eq!(id.len(), 32);
            assert_eq!(identity(&folder.path().join("new")).unwrap(), id);
        }
    }
}
