//! Ctrl-C, SIGTERM and a closed terminal: the first stops the run, which then collects and tears down; the second ends
//! at once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// How long a second signal may wait for its last words: what reads stderr may have stopped, and not be gone.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What interrupted the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP of a terminal that was closed.
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

/// Listens for signals.
#[derive(Clone)]
pub struct Interrupt {
    /// Cancelled by the first signal.
    pub cancel: CancellationToken,
    first: Arc<OnceLock<Signal>>,
}

impl Interrupt {
    /// Listens from now on; `left_behind` says what a second signal leaves when it comes, and is quick about it.
    ///
    /// # Errors
    /// Where signals can't be listened for.
    pub fn listen(left_behind: impl Fn() -> String + Send + Sync + 'static) -> anyhow::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let mut terminates = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut hangups = hangups()?;
        let this = Self { cancel: CancellationToken::new(), first: Arc::default() };
        let (listener, left_behind) = (this.clone(), Arc::new(left_behind));
        tokio::spawn(async move {
            loop {
                let got = tokio::select! {
                    _ = interrupts.recv() => Signal::Interrupt,
                    _ = terminates.recv() => Signal::Terminate,
                    () = next(hangups.as_mut()) => Signal::Terminate,
                };
                listener.got(got, &left_behind).await;
            }
        });
        Ok(this)
    }

    /// The first signal, where there was one.
    pub fn signal(&self) -> Option<Signal> {
        self.first.get().copied()
    }

    async fn got(&self, signal: Signal, left_behind: &Arc<impl Fn() -> String + Send + Sync + 'static>) {
        if self.first.set(signal).is_ok() {
            self.cancel.cancel();
            let told = "\ninterrupted: collecting evidence and cleaning up; once more ends at once";
            drop(aside(move || crate::err(told)));
            return;
        }
        let left_behind = left_behind.clone();
        let left = aside(move || left_behind()).await.unwrap_or_default();
        let told = aside(move || crate::err(format_args!("\ninterrupted again, ending at once; {left}")));
        drop(tokio::time::timeout(LAST_WORDS, told).await);
        std::process::exit(i32::from(signal.exit().code()));
    }
}

/// Does what may block on a thread that nothing waits for at the end: where whoever reads stderr has stopped, a second
/// signal has to be noticed all the same.
fn aside<T: Send + 'static>(does: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(does())));
    done
}

/// Hang-ups, where they are not ignored: `nohup` has a run go on without its terminal.
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

/// Whether this process was started with a signal ignored, where the system says so.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
