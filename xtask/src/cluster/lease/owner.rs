//! A process, so that it can be recognised later: ids of processes are used again.

use std::fs;

use serde::{Deserialize, Serialize};

/// One process of one boot of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The host's name and, where it has one, its machine id.
    pub host: String,
    /// Changes with every boot; empty where the system does not tell.
    pub boot_id: String,
    /// The process.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot; 0 where the system does not tell.
    pub started_ticks: u64,
}

impl Owner {
    /// The running process.
    pub fn this_process() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        Self {
            host: format!("{name}/{}", machine.trim()).trim_end_matches('/').to_owned(),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
            pid,
            started_ticks: started_ticks(pid).unwrap_or(0),
        }
    }
}

/// Whether this very process runs on this host, not only one with its id.
pub fn is_running(owner: &Owner) -> bool {
    match started_ticks(owner.pid) {
        Some(ticks) => ticks == owner.started_ticks,
        None if cfg!(target_os = "linux") => false,
        None => rustix::process::Pid::from_raw(owner.pid)
            .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)),
    }
}

/// The 22nd field of `/proc/PID/stat`; the second may hold blanks and brackets. A zombie does not run.
fn started_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
