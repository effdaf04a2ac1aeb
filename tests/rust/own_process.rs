//! A process of its own for a test that moves the clock, which all tests of a process share: a deploy beside it would take its
//! own lease for expired.

use std::env;
use std::process::Command;
use std::thread;

/// Set in the process that one test has for itself.
const VARIABLE: &str = "TEST_IN_ITS_OWN_PROCESS";

/// Runs the test that calls this in a process of its own, and returns true once it has passed there: then the caller is done.
pub fn has_passed_in_its_own_process() -> bool {
    let thread = thread::current();
    // One test at a time has no thread of its own, and nothing runs beside it.
    let name = thread.name().filter(|name| *name != "main");
    let (Some(name), None) = (name, env::var_os(VARIABLE)) else { return false };
    let mut command = Command::new(env::current_exe().expect("the test binary has a path"));
    let done =
        command.args([name, "--exact", "--nocapture"]).env(VARIABLE, "1").output().expect("the test binary runs");
    let printed = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && printed.contains("1 passed"), "{name} failed in its own process:\n{printed}");
    true
}
