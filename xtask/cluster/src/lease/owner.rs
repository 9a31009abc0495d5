//! Identifies a process for later: process IDs are reused, and each container has its own.

use std::fs;

use serde::{Deserialize, Serialize};

/// One process in one boot of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The host's name and, if it has one, its machine ID.
    pub host: String,
    /// The boot ID; empty if unknown.
    pub boot_id: String,
    /// The pid namespace of the process, `pid:[4026531836]`; empty if unknown. Unique among existing namespaces.
    #[serde(default)]
    pub pid_namespace: String,
    /// The process ID.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot; 0 if unknown.
    pub started_ticks: u64,
}

impl Owner {
    /// Returns the current process.
    pub fn this_process() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        Self {
            host: format!("{name}/{}", machine.trim()).trim_end_matches('/').to_owned(),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
            pid_namespace: pid_namespace(),
            pid,
            started_ticks: started_ticks(pid).unwrap_or(0),
        }
    }

    /// Returns whether the other process is certainly in the same boot and pid namespace: if it can't be seen then, it is
    /// not running. False if either is unknown.
    pub fn is_beside(&self, other: &Self) -> bool {
        let place = |owner: &Self| (owner.host.clone(), owner.boot_id.clone(), owner.pid_namespace.clone());
        !self.boot_id.is_empty() && !self.pid_namespace.is_empty() && place(self) == place(other)
    }
}

/// Returns whether exactly this process is running, not another one with the same ID.
pub fn is_running(owner: &Owner) -> bool {
    owner.is_beside(&Owner::this_process()) && started_ticks(owner.pid) == Some(owner.started_ticks)
}

fn pid_namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns the 22nd field of `/proc/PID/stat`; the second may contain spaces and brackets. None for a zombie.
fn started_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
