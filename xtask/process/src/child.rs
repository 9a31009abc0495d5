//! One child process: started in its own process group, awaited, terminated and then killed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Cmd, Ended};

/// The child is stopped if it writes more than this.
const OUTPUT_MAX_BYTES: u64 = 256_000_000;
/// At most this much of each stream is read into memory.
const READ_MAX_BYTES: u64 = 32_000_000;

/// How long a child may take.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub timeout: Duration,
    pub grace: Duration,
}

/// A child that has ended.
pub(super) struct Finished {
    pub ended: Ended,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    fn not_started(error: &io::Error) -> Self {
        Self { ended: Ended::NotStarted(error.to_string()), stdout: String::new(), stderr: String::new() }
    }
}

/// Runs a command until it exits, times out or is cancelled.
pub(super) async fn run(cmd: &Cmd, bounds: &Bounds, cancel: &CancellationToken) -> Finished {
    // Files, not pipes: a grandchild that keeps a pipe open would keep us reading.
    let streams = tempfile::tempfile().and_then(|stdout| Ok((stdout, tempfile::tempfile()?)));
    let (mut stdout, mut stderr) = match streams {
        Ok(streams) => streams,
        Err(error) => return Finished::not_started(&error),
    };
    let ended = match start(cmd, bounds.grace, &stdout, &stderr).await {
        Ok(child) => wait(child, bounds.timeout, cancel, [&stdout, &stderr]).await,
        Err(error) => return Finished::not_started(&error),
    };
    Finished { ended, stdout: read(&mut stdout), stderr: read(&mut stderr) }
}

/// A running child, the leader of its process group. When it is dropped, it gets SIGTERM, and SIGKILL after its grace
/// period.
struct Child {
    group: Option<Group>,
    status: Option<oneshot::Receiver<io::Result<ExitStatus>>>,
    grace: Duration,
}

impl Drop for Child {
    fn drop(&mut self) {
        let (Some(group), Some(status)) = (self.group.take(), self.status.take()) else { return };
        group.signal(Signal::TERM);
        let grace = self.grace;
        // Without a runtime, or if the runtime ends first, dropping the group kills it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                drop(tokio::time::timeout(grace, status).await);
                drop(group);
            });
        }
    }
}

/// A process group; its remaining processes are killed when this is dropped.
struct Group(Pid);

impl Group {
    fn signal(&self, signal: Signal) {
        // A group that is already gone is fine.
        let _ = kill_process_group(self.0, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Starts the child on a thread that lives as long as the child: the kernel sends the parent-death signal when the
/// thread that forked ends.
async fn start(cmd: &Cmd, grace: Duration, stdout: &File, stderr: &File) -> io::Result<Child> {
    let expression = expression(cmd, stdout.try_clone()?, stderr.try_clone()?);
    let (send_group, group) = oneshot::channel();
    let (send_status, status) = oneshot::channel();
    tokio::task::spawn_blocking(move || match expression.start() {
        Ok(handle) => {
            let id = handle.pids().first().and_then(|pid| Pid::from_raw((*pid).cast_signed()));
            let group = id.map(Group);
            drop(send_group.send(group.ok_or_else(|| io::Error::other("the child has no process id"))));
            drop(send_status.send(handle.wait().map(|output| output.status)));
        }
        Err(error) => drop(send_group.send(Err(error))),
    });
    let group = group.await.map_err(io::Error::other)??;
    Ok(Child { group: Some(group), status: Some(status), grace })
}

#[expect(clippy::disallowed_methods, reason = "this is the harness's one place that starts processes")]
fn expression(cmd: &Cmd, stdout: File, stderr: File) -> duct::Expression {
    let mut expression = duct::cmd(&cmd.program, &cmd.args).stdout_file(stdout).stderr_file(stderr);
    expression = match &cmd.stdin {
        Some(bytes) => expression.stdin_bytes(bytes.clone()),
        None => expression.stdin_null(),
    };
    for (name, value) in &cmd.env {
        expression = match value {
            Some(value) => expression.env(name, value),
            None => expression.env_remove(name),
        };
    }
    if let Some(dir) = &cmd.dir {
        expression = expression.dir(dir);
    }
    expression.unchecked().before_spawn(|command| {
        command.process_group(0);
        die_with_parent(command);
        Ok(())
    })
}

/// Makes the kernel kill the child when the harness dies, even by SIGKILL.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "pre_exec is unsafe; the hook makes two system calls and allocates nothing")]
fn die_with_parent(command: &mut std::process::Command) {
    let parent = rustix::process::getpid();
    let hook = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the call above.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(io::Error::from_raw_os_error(3)) }
    };
    unsafe {
        command.pre_exec(hook);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut std::process::Command) {}

/// Waits until the child exits or has to be stopped.
async fn wait(mut child: Child, timeout: Duration, cancel: &CancellationToken, outputs: [&File; 2]) -> Ended {
    let Some(status) = &mut child.status else { return Ended::NotStarted("it has no status".to_owned()) };
    let stopped = tokio::select! {
        status = status => {
            // Processes that it left running in its group were meant to outlive it.
            std::mem::forget(child.group.take());
            return by_itself(status);
        }
        () = tokio::time::sleep(timeout) => Ended::TimedOut(timeout),
        () = cancel.cancelled() => Ended::Cancelled,
        () = too_much(outputs) => Ended::TooMuchOutput(OUTPUT_MAX_BYTES),
    };
    stop(&mut child).await;
    stopped
}

fn by_itself(status: Result<io::Result<ExitStatus>, oneshot::error::RecvError>) -> Ended {
    match status {
        Ok(Ok(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or_default()),
        },
        Ok(Err(error)) => Ended::NotStarted(error.to_string()),
        Err(_) => Ended::NotStarted("the thread that waits for it is gone".to_owned()),
    }
}

/// Terminates the group, waits for its leader, then kills the rest.
async fn stop(child: &mut Child) {
    let Some(group) = child.group.take() else { return };
    group.signal(Signal::TERM);
    let Some(status) = &mut child.status else { return };
    let terminated = tokio::time::timeout(child.grace, &mut *status).await;
    drop(group);
    if terminated.is_err() {
        // A killed child ends; one in an uninterruptible system call is not awaited.
        drop(tokio::time::timeout(child.grace, status).await);
    }
}

/// Returns when a child has written too much. There is no notification for a growing file, so its size is polled.
async fn too_much(outputs: [&File; 2]) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let written: u64 = outputs.iter().filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum();
        if written > OUTPUT_MAX_BYTES {
            return;
        }
    }
}

/// Returns the content of a stream, or its last part if it is larger than the limit.
fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let length = file.metadata().map_or(0, |data| data.len());
    let from = SeekFrom::Start(length.saturating_sub(READ_MAX_BYTES));
    let done = file.seek(from).and_then(|_| file.take(READ_MAX_BYTES).read_to_end(&mut bytes));
    match done {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("the output can't be read: {error}"),
    }
}
