//! A process that the node started: its signals and its end.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use tokio::io::Interest;
use tokio::sync::watch;

use crate::watched;

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnd {
    /// Exit code: 128 + signal if a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When its end was noticed.
    pub at: DateTime<Utc>,
}

/// A process of the node. Cheap to clone; dropping it does nothing to the process.
#[derive(Debug, Clone)]
pub struct Process {
    pid: u32,
    pidfd: Arc<OwnedFd>,
    ended: watch::Receiver<Option<ProcessEnd>>,
}

impl Process {
    /// Takes charge of a child: from now on a task waits for it.
    pub fn watch(pid: u32, pidfd: OwnedFd) -> Result<Self> {
        let pidfd = Arc::new(pidfd);
        let readable = watched::watch(pidfd.clone(), Interest::READABLE).context("watch a process")?;
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move {
            let _ = readable.readable().await;
            end.send_replace(Some(reap(readable.get_ref())));
        });
        Ok(Self { pid, pidfd, ended })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn pidfd(&self) -> Arc<OwnedFd> {
        self.pidfd.clone()
    }

    /// Sends a signal; does nothing if it has ended.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Returns how it ended, if it has.
    pub fn ended(&self) -> Option<ProcessEnd> {
        *self.ended.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> ProcessEnd {
        let mut ended = self.ended.clone();
        let end = ended.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        end.unwrap_or_else(unknown)
    }
}

fn reap(pidfd: &OwnedFd) -> ProcessEnd {
    let status = waitid(WaitId::PidFd(std::os::fd::AsFd::as_fd(pidfd)), WaitIdOptions::EXITED);
    let Ok(Some(status)) = status else { return unknown() };
    let signal = status.terminating_signal();
    let code = signal.map_or_else(|| status.exit_status().unwrap_or(255), |signal| 128 + signal);
    ProcessEnd { code, signal, at: Utc::now() }
}

/// Returns the exit that is reported if the kernel returns none: containerd's code for an unknown end.
fn unknown() -> ProcessEnd {
    ProcessEnd { code: 255, signal: None, at: Utc::now() }
}
