//! Starts the runtime's helper processes: the one place that starts processes on the embedded node.
//!
//! A helper is this program again, with a hidden word. It reads its plan from a socket and responds there: with nothing
//! if it became the container's program, which closes the socket, and otherwise with an error.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::process::Process;

/// The word for the helper that becomes a container's program.
pub const CONTAINER: &str = "__container";
/// The word for the helper that becomes an additional program of a container.
pub const EXEC: &str = "__exec";

/// How long a helper may take to set its container up.
const SETUP_TIMEOUT: Duration = Duration::from_secs(60);
/// Longer than any error text.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The pid namespace that a helper is started in.
#[derive(Debug)]
pub enum ProcessNamespace {
    /// A new one, as its first process.
    New,
    /// That of a running process.
    Of(Arc<OwnedFd>),
}

/// The helper's standard input, output and error.
#[derive(Debug)]
pub struct Stdio3 {
    pub stdin: Stdio,
    pub stdout: Stdio,
    pub stderr: Stdio,
}

#[derive(Debug)]
struct LaunchRequest {
    word: &'static str,
    namespace: ProcessNamespace,
    stdio: Stdio3,
    control: OwnedFd,
    /// Descriptors that the helper inherits under the same numbers.
    inherit: Vec<Arc<OwnedFd>>,
    reply: oneshot::Sender<Result<(u32, OwnedFd)>>,
}

/// Why a helper did not become the program.
pub enum LaunchFailure {
    /// The helper's own message.
    Helper(String),
    /// It could not even be started.
    Spawn(anyhow::Error),
}

impl From<anyhow::Error> for LaunchFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::Spawn(error)
    }
}

/// The thread that starts all helpers. It is their parent, so that they are signalled when it dies, and the only thread
/// that moves between pid namespaces. It ends with the last handle.
#[derive(Debug, Clone)]
pub struct Spawner {
    orders: mpsc::Sender<LaunchRequest>,
}

impl Spawner {
    /// Starts the thread; `program` is this program's own file in the form in which containers may see it.
    pub fn start(program: PathBuf) -> Result<Self> {
        let home: OwnedFd = File::open("/proc/self/ns/pid").context("open the node's process namespace")?.into();
        let (orders, taken) = mpsc::channel::<LaunchRequest>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                while let Ok(order) = taken.recv() {
                    let (reply, started) = carry_out(&home, &program, order);
                    if let Err(Ok((_, unwanted))) = reply.send(started) {
                        end(&unwanted);
                    }
                }
            })
            .context("start the thread that starts containers")?;
        Ok(Self { orders })
    }

    /// Starts a helper, lets `prepare` act on its process, sends it its plan, and waits until it became the program.
    pub async fn launch(
        &self,
        word: &'static str,
        namespace: ProcessNamespace,
        stdio: Stdio3,
        inherit: Vec<Arc<OwnedFd>>,
        plan: &[u8],
        prepare: impl FnOnce(u32) -> io::Result<()>,
    ) -> Result<Process, LaunchFailure> {
        let (ours, control) = UnixStream::pair().context("create a socket pair")?;
        ours.set_nonblocking(true).context("prepare a socket")?;
        let mut ours = tokio::net::UnixStream::from_std(ours).context("prepare a socket")?;
        let (reply, replied) = oneshot::channel();
        let order = LaunchRequest { word, namespace, stdio, control: control.into(), inherit, reply };
        self.orders.send(order).ok().context("the thread that starts containers has ended")?;
        let (pid, pidfd) = replied.await.context("the thread that starts containers has ended")??;
        let process = Process::watch(pid, pidfd)?;
        let kill_on_error = KillOnDrop(Some(&process));
        prepare(pid).with_context(|| format!("prepare process {pid}"))?;
        let talk = async {
            // A helper that has already ended gives the reason in its response.
            let _ = ours.write_all(plan).await;
            let _ = ours.shutdown().await;
            let mut answer = Vec::new();
            ours.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await.map(|_| answer)
        };
        let answer = match tokio::time::timeout(SETUP_TIMEOUT, talk).await {
            Ok(answer) => answer.context("read a helper's response")?,
            Err(_) => return Err(anyhow::anyhow!("not set up within {SETUP_TIMEOUT:?}").into()),
        };
        if !answer.is_empty() {
            return Err(LaunchFailure::Helper(String::from_utf8_lossy(&answer).into_owned()));
        }
        kill_on_error.disarm();
        Ok(process)
    }
}

/// A helper that is killed unless it is still needed.
struct KillOnDrop<'a>(Option<&'a Process>);

impl KillOnDrop<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.0 {
            process.signal(Signal::KILL);
        }
    }
}

/// Kills a helper that nobody waits for any more, and waits for its end.
fn end(helper: &OwnedFd) {
    let _ = pidfd_send_signal(helper, Signal::KILL);
    let _ = poll(&mut [PollFd::new(helper.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
    let _ = waitid(WaitId::PidFd(helper.as_fd()), WaitIdOptions::EXITED);
}

type Reply = oneshot::Sender<Result<(u32, OwnedFd)>>;

fn carry_out(home: &OwnedFd, program: &Path, order: LaunchRequest) -> (Reply, Result<(u32, OwnedFd)>) {
    let LaunchRequest { word, namespace, stdio, control, inherit, reply } = order;
    let inherited: Vec<BorrowedFd<'_>> =
        std::iter::once(&control).chain(inherit.iter().map(AsRef::as_ref)).map(AsFd::as_fd).collect();
    let started = enter(&namespace)
        .and_then(|()| inheriting(&inherited, || spawn(program, word, control.as_raw_fd(), stdio)))
        .with_context(|| format!("start the helper {word}"));
    let back = setns(home, CloneFlags::CLONE_NEWPID).context("return to the node's process namespace");
    (reply, back.and(started))
}

fn enter(namespace: &ProcessNamespace) -> Result<()> {
    match namespace {
        ProcessNamespace::New => unshare(CloneFlags::CLONE_NEWPID).context("create a process namespace"),
        ProcessNamespace::Of(pidfd) => {
            setns(pidfd, CloneFlags::CLONE_NEWPID).context("enter the container's process namespace")
        }
    }
}

/// Runs `act` while the descriptors survive an exec. No other thread starts processes meanwhile.
fn inheriting<T>(descriptors: &[BorrowedFd<'_>], act: impl FnOnce() -> Result<T>) -> Result<T> {
    for descriptor in descriptors {
        fcntl_setfd(descriptor, FdFlags::empty()).context("pass a descriptor on")?;
    }
    let acted = act();
    for descriptor in descriptors {
        fcntl_setfd(descriptor, FdFlags::CLOEXEC).context("take a descriptor back")?;
    }
    acted
}

#[expect(clippy::disallowed_methods, reason = "this is the runtime's one place that starts processes")]
fn spawn(program: &Path, word: &str, control: i32, stdio: Stdio3) -> Result<(u32, OwnedFd)> {
    let mut command = Command::new(program);
    command.arg(word).arg(control.to_string()).env_clear();
    command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
    let child = command.spawn().context("execute this program anew")?;
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        bail!("no process has the id {}", child.id())
    };
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK).context("open the helper's process")?;
    Ok((child.id(), pidfd))
}
