//! Stops and continues every process of a container: all those in its process namespace.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long it may take until all processes are stopped: a process that is being stopped can still start others.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two looks at the processes, which can't be watched.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Stops every process in the namespace of the process `of`; returns once none of them runs.
///
/// # Errors
/// If some still run after [`STOP_TIMEOUT`].
pub async fn stop_all(of: u32) -> Result<()> {
    let began = Instant::now();
    loop {
        let running: Vec<_> = in_namespace(of).into_iter().filter(|(pid, _)| runs(*pid)).collect();
        if running.is_empty() {
            return Ok(());
        }
        if began.elapsed() > STOP_TIMEOUT {
            bail!("{} processes still run {STOP_TIMEOUT:?} after they were asked to stop", running.len());
        }
        signal(&running, Signal::STOP);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Continues every process in the namespace of the process `of`; does nothing if that has ended.
pub fn continue_all(of: u32) {
    signal(&in_namespace(of), Signal::CONT);
}

fn signal(processes: &[(u32, OwnedFd)], signal: Signal) {
    for (_, pidfd) in processes {
        // One that has ended needs no signal.
        let _ = pidfd_send_signal(pidfd, signal);
    }
}

/// Returns the processes in the same process namespace. Their descriptors are opened first, so that a reused number is
/// not taken for one of them.
fn in_namespace(of: u32) -> Vec<(u32, OwnedFd)> {
    let Some(namespace) = namespace(of) else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let opened = pids.filter_map(|pid| {
        let raw = Pid::from_raw(pid.cast_signed())?;
        Some((pid, pidfd_open(raw, PidfdFlags::empty()).ok()?))
    });
    opened.filter(|(pid, _)| namespace_of(*pid).as_ref() == Some(&namespace)).collect()
}

fn namespace(of: u32) -> Option<PathBuf> {
    namespace_of(of).filter(|namespace| Some(namespace) != namespace_of(std::process::id()).as_ref())
}

fn namespace_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Returns whether a process is neither stopped nor ended: its state follows its name, which is in parentheses.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'T' | 't' | 'Z' | 'X'))
}
