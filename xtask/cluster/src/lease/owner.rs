//! A process, so that it can be recognised later: ids of processes are used again, and each container has its own.

use std::fs;

use serde::{Deserialize, Serialize};

/// One process of one boot of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The host's name and, where it has one, its machine id.
    pub host: String,
    /// Changes with every boot; empty where the system does not tell.
    pub boot_id: String,
    /// The namespace that the process's id is of, `pid:[4026531836]`; empty where the system does not tell. No two that
    /// are there at the same time have the same.
    #[serde(default)]
    pub pid_namespace: String,
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
            pid_namespace: pid_namespace(),
            pid,
            started_ticks: started_ticks(pid).unwrap_or(0),
        }
    }

    /// Whether the other is certain to be in the same boot and the same namespace of process ids: what can't be seen
    /// of it does not run. Where the system does not tell, nothing is certain.
    pub fn is_beside(&self, other: &Self) -> bool {
        let place = |owner: &Self| (owner.host.clone(), owner.boot_id.clone(), owner.pid_namespace.clone());
        !self.boot_id.is_empty() && !self.pid_namespace.is_empty() && place(self) == place(other)
    }
}

/// Whether this very process is seen to run from here, not only one with its id.
pub fn is_running(owner: &Owner) -> bool {
    owner.is_beside(&Owner::this_process()) && started_ticks(owner.pid) == Some(owner.started_ticks)
}

fn pid_namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
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
