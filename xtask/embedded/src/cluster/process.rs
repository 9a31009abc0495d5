//! The node's process, as its starter controls it: started, waited for, stopped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::Ready;

/// The API responds within a second; a machine with every core busy may need more.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to stop after SIGTERM, and to vanish after SIGKILL.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How many lines of the log go into the error of a failed start.
const TAIL_LINES: usize = 20;

/// The node's process. It ends with this value: its standard input closes, and it is killed.
pub(super) struct Process {
    child: Child,
    id: u32,
    log: PathBuf,
}

impl Process {
    /// Starts `embedded-node DIR` and waits until it reports that it is ready.
    pub(super) async fn start(program: &Path, dir: &Path) -> anyhow::Result<(Self, Ready)> {
        let log = dir.join("node.log");
        let mut child = spawn(program, dir, &log)?;
        let id = child.id().context("the node's process has no id")?;
        let stdout = child.stdout.take().context("the node's process has no output")?;
        let mut process = Self { child, id, log };
        match timeout(READY_TIMEOUT, read_ready(stdout)).await {
            Ok(Ok(ready)) => Ok((process, ready)),
            Ok(Err(_)) => bail!("the embedded cluster did not start: {}", process.ended().await),
            Err(_) => bail!("the embedded cluster is not ready after {READY_TIMEOUT:?}: {}", tail(&process.log)),
        }
    }

    /// Waits for its end, and returns how it ended, with the tail of its log.
    pub(super) async fn ended(&mut self) -> String {
        let how = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        format!("{how}; the end of {}:\n{}", self.log.display(), tail(&self.log))
    }

    /// Returns how it ended, or `None` while it runs.
    pub(super) fn has_ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{status}; its log is {}", self.log.display()))
    }

    /// Sends it SIGTERM, waits, then kills it and its process group.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        // Another process may have its id by now.
        if self.has_ended().is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.id).ok().and_then(Pid::from_raw).context("the node's process id")?;
        let _ = kill_process(pid, Signal::TERM);
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_ok() {
            return Ok(());
        }
        let _ = kill_process_group(pid, Signal::KILL);
        let killed = timeout(STOP_TIMEOUT, self.child.wait()).await;
        killed.map_err(|_| anyhow!("process {} of the embedded cluster survives SIGKILL", self.id))??;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the node is the only process that this library starts")]
fn spawn(program: &Path, dir: &Path, log: &Path) -> anyhow::Result<Child> {
    let log_file = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    Command::new(program)
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{} {}`", program.display(), dir.display()))
}

async fn read_ready(stdout: ChildStdout) -> anyhow::Result<Ready> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    serde_json::from_str(&line).context("the first line of the node's output is not the expected JSON")
}

/// Returns the last lines of the node's log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
