//! Which boot of which machine this is, and when a process of it started.

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

#[cfg(windows)]
mod system {
    /// Not known: so the note of a deploy that was killed is taken over when it expires, not at once.
    pub(crate) fn boot_identity() -> Option<String> {
        None
    }

    /// Not known.
    #[allow(clippy::option_option, reason = "not known and not there are different answers")]
    pub(crate) fn started(_pid: u32) -> Option<Option<String>> {
        None
    }
}
