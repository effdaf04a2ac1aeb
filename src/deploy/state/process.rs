//! Which process on which machine works, so that the intent of a dead process can be told from that of a live one.
//!
//! A process id alone says little: ids are used again, and containers on one machine have the same ones. So the machine
//! is named by its boot and process-id namespace, and the process by its id and when it started. Where any of this is
//! not known, the process counts as alive, and its note is taken over when it expires.

use std::process;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::platform::{boot_identity, started};

/// A process of some machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// A digest of what tells this boot of this machine from any other.
    machine: String,
    pid: u32,
    /// When it started, in whatever words the system has for it.
    started: String,
}

static MACHINE: LazyLock<Option<String>> = LazyLock::new(|| {
    let boot = boot_identity()?;
    let host = gethostname::gethostname();
    Some(crate::digest::sha256(format!("{boot}\n{}", host.to_string_lossy())).split_off(32))
});

impl ProcessId {
    /// This process, where the system tells enough about it.
    #[must_use]
    pub fn own() -> Option<Self> {
        let pid = process::id();
        Some(Self { machine: MACHINE.clone()?, pid, started: started(pid)?? })
    }

    /// Whether this is the running process.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.pid == process::id() && Self::own().as_ref() == Some(self)
    }

    /// Whether this process is known to have ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        if MACHINE.as_ref() != Some(&self.machine) {
            return false;
        }
        match started(self.pid) {
            Some(Some(started)) => started != self.started,
            Some(None) => true,
            None => false,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_alive_until_it_ends() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_own() && !own.is_dead());
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId { pid: child.id(), started: started(child.id()).unwrap().unwrap(), ..own.clone() };
        assert!(!id.is_dead() && !id.is_own());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(id.is_dead());
    }

    #[test]
    fn a_used_again_id_is_dead_and_another_machine_unknown() {
        let own = ProcessId::own().unwrap();
        assert!(ProcessId { started: "1".into(), ..own.clone() }.is_dead());
        assert!(!ProcessId { machine: "elsewhere".into(), started: "1".into(), ..own }.is_dead());
    }
}
