//! Ctrl-C, SIGTERM and a closed terminal: the first signal stops the run, which then collects evidence and tears down;
//! the second exits at once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::exit::Exit;

/// How long the exit after a second signal waits for its message: the reader of stderr may be stopped but not gone.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What interrupted the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP from a closed terminal.
    Terminate,
}

impl Signal {
    fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }
}

/// Listens for signals, until it is dropped.
pub struct Interrupt {
    /// Cancelled by the first signal.
    pub cancel: CancellationToken,
    first: Arc<OnceLock<Signal>>,
    _listener: AbortOnDropHandle<()>,
}

impl Interrupt {
    /// Starts listening. `left_behind` describes what would be left behind if the process exited now; it must return quickly.
    ///
    /// # Errors
    /// If a signal handler can't be installed.
    pub fn listen(left_behind: impl Fn() -> String + Send + Sync + 'static) -> anyhow::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let mut terminates = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut hangups = hangups()?;
        let (cancel, first) = (CancellationToken::new(), Arc::<OnceLock<Signal>>::default());
        let (to_cancel, noted, left_behind) = (cancel.clone(), first.clone(), Arc::new(left_behind));
        let listener = tokio::spawn(async move {
            loop {
                let got = tokio::select! {
                    _ = interrupts.recv() => Signal::Interrupt,
                    _ = terminates.recv() => Signal::Terminate,
                    () = next(hangups.as_mut()) => Signal::Terminate,
                };
                act_on(got, (&to_cancel, &noted), &left_behind).await;
            }
        });
        Ok(Self { cancel, first, _listener: AbortOnDropHandle::new(listener) })
    }

    /// Returns the first signal, if any.
    pub fn signal(&self) -> Option<Signal> {
        self.first.get().copied()
    }
}

/// Cancels the run on the first signal, and exits on the second.
async fn act_on(
    signal: Signal,
    (cancel, first): (&CancellationToken, &OnceLock<Signal>),
    left_behind: &Arc<impl Fn() -> String + Send + Sync + 'static>,
) {
    if first.set(signal).is_ok() {
        cancel.cancel();
        let message = "\ninterrupted: collecting evidence and cleaning up; press Ctrl-C again to exit at once";
        drop(aside(move || crate::err(message)));
        return;
    }
    let left_behind = left_behind.clone();
    let left = aside(move || left_behind()).await.unwrap_or_default();
    let message = aside(move || crate::err(format_args!("\ninterrupted again, exiting at once; {left}")));
    drop(tokio::time::timeout(LAST_WORDS, message).await);
    std::process::exit(i32::from(signal.exit().code()));
}

/// Runs what may block on a thread that the process need not wait for when it exits: a second signal must be noticed
/// even if the reader of stderr has stopped.
fn aside<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(task())));
    done
}

/// Listens for SIGHUP unless it is ignored: under `nohup`, a run continues without its terminal.
fn hangups() -> anyhow::Result<Option<Listener>> {
    if is_ignored(SignalKind::hangup()) {
        return Ok(None);
    }
    signal(SignalKind::hangup()).context("listening for SIGHUP").map(Some)
}

async fn next(listener: Option<&mut Listener>) {
    match listener {
        Some(listener) => drop(listener.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns whether this process was started with a signal ignored; false if the system does not report that.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
