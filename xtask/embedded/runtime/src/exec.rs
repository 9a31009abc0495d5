//! A program that runs in a container in addition to its own.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use anyhow::{Context, Result};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::process::Process;
use crate::spawn::Stdio3;
use crate::watched::{Watched, watch};

/// The writer of the program's input.
pub type ExecInput = Box<dyn AsyncWrite + Send + Sync + Unpin>;
/// The reader of the program's output.
pub type ExecOutput = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// A program started by [`Container::exec`](crate::Container::exec). Dropping this does not end the program.
pub struct Exec {
    /// Standard input, if it was requested. Dropping it closes it; on a terminal, shutting it down sends end-of-file.
    pub stdin: Option<ExecInput>,
    /// Standard output; on a terminal, both outputs.
    pub stdout: Option<ExecOutput>,
    /// Standard error, unless there is a terminal.
    pub stderr: Option<ExecOutput>,
    terminal: Option<Terminal>,
    process: Process,
}

impl Exec {
    /// Waits for its exit code: 128 + signal if a signal ended it.
    pub async fn wait(&self) -> i32 {
        self.process.wait().await.code
    }

    /// Kills it.
    pub fn kill(&self) {
        self.process.signal(rustix::process::Signal::KILL);
    }

    /// Sets the size of the terminal; does nothing if there is none.
    pub fn resize(&self, columns: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            terminal.resize(columns, rows);
        }
    }

    pub(crate) fn new(process: Process, streams: Streams) -> Self {
        let Streams { stdin, stdout, stderr, terminal } = streams;
        Self { stdin, stdout, stderr, terminal, process }
    }
}

/// The node's ends of a program's standard streams.
pub struct Streams {
    stdin: Option<ExecInput>,
    stdout: Option<ExecOutput>,
    stderr: Option<ExecOutput>,
    terminal: Option<Terminal>,
}

/// Creates three pipes, or two and an empty input.
pub fn pipes(with_input: bool) -> Result<(Stdio3, Streams)> {
    let (stdout, stdout_writer) = output()?;
    let (stderr, stderr_writer) = output()?;
    let (input, stdin) = input(with_input)?;
    let helper = Stdio3 { stdin: input, stdout: stdout_writer, stderr: stderr_writer };
    Ok((helper, Streams { stdin, stdout: Some(stdout), stderr: Some(stderr), terminal: None }))
}

/// Returns a pipe, or an empty input.
pub fn input(is_wanted: bool) -> Result<(Stdio, Option<ExecInput>)> {
    if !is_wanted {
        return Ok((Stdio::null(), None));
    }
    let (reader, writer) = io::pipe().context("create a pipe")?;
    let writer = Sender::from_owned_fd(writer.into()).context("write to a pipe")?;
    Ok((Stdio::from(reader), Some(Box::new(writer))))
}

fn output() -> Result<(ExecOutput, Stdio)> {
    let (reader, writer) = io::pipe().context("create a pipe")?;
    let reader = Receiver::from_owned_fd(reader.into()).context("read from a pipe")?;
    Ok((Box::new(reader), writer.into()))
}

/// Opens a terminal from the container's own `/dev/pts`, so that it has a name there.
pub fn terminal(container: u32) -> Result<(Stdio3, Streams)> {
    let root = format!("/proc/{container}/root");
    let master = multiplexer(Path::new(&root)).with_context(|| format!("open a terminal at {root}/dev/pts/ptmx"))?;
    let (stdio, terminal) = both_ends(master)?;
    let streams = Streams {
        stdin: Some(terminal.input()),
        stdout: Some(Box::new(terminal.clone())),
        stderr: None,
        terminal: Some(terminal),
    };
    Ok((stdio, streams))
}

/// Opens a terminal from the node's own `/dev/pts`, for a container that does not exist yet. It has no name there.
pub fn own_terminal() -> Result<(Stdio3, Terminal)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    both_ends(open("/dev/ptmx", flags, Mode::empty()).context("open a terminal at /dev/ptmx")?)
}

fn both_ends(master: OwnedFd) -> Result<(Stdio3, Terminal)> {
    unlockpt(&master).context("unlock the terminal")?;
    let peer = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
    let peer = peer.context("open the terminal's other end")?;
    let copy = || peer.try_clone().map(Stdio::from).context("copy a terminal's descriptor");
    let stdio = Stdio3 { stdin: copy()?, stdout: copy()?, stderr: copy()? };
    let master =
        Arc::new(watch(Arc::new(master), Interest::READABLE | Interest::WRITABLE).context("watch the terminal")?);
    Ok((stdio, Terminal { master }))
}

/// Opens the container's terminal multiplexer, despite any links and files that the container has put in the way.
fn multiplexer(root: &Path) -> io::Result<OwnedFd> {
    let root = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = openat2(&root, "dev/pts/ptmx", flags, Mode::empty(), resolve)?;
    let is_terminal = FileType::from_raw_mode(fstat(&opened)?.st_mode) == FileType::CharacterDevice;
    if is_terminal { Ok(opened) } else { Err(io::Error::other("not a device")) }
}

/// The node's end of a terminal.
#[derive(Clone)]
pub struct Terminal {
    master: Arc<Watched>,
}

impl Terminal {
    /// Returns the writer of what is typed there.
    pub fn input(&self) -> ExecInput {
        Box::new(TerminalInput(self.clone()))
    }

    /// Sets its size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let _ = tcsetwinsize(self.master.get_ref(), size);
    }
}

impl AsyncRead for Terminal {
    fn poll_read(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.master.poll_read_ready(cx))?;
            let read = ready.try_io(|master| Ok(rustix::io::read(master, buf.initialize_unfilled())?));
            match read {
                Ok(Ok(count)) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // The kernel returns this when nobody has the other end open any more.
                Ok(Err(error)) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

/// The terminal's input. Its end is sent as a character.
struct TerminalInput(Terminal);

/// Control-D.
const END_OF_FILE: [u8; 1] = [4];

impl AsyncWrite for TerminalInput {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.master.poll_write_ready(cx))?;
            if let Ok(written) = ready.try_io(|master| Ok(rustix::io::write(master, bytes)?)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.poll_write(cx, &END_OF_FILE).map_ok(|_| ())
    }
}
