//! Ctrl-C and SIGTERM: the first stops the run, which then collects and tears down; the second ends at once.

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// What interrupted the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
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
    /// Listens from now on; `left_behind` says what a second signal leaves when it comes.
    ///
    /// # Errors
    /// Where signals can't be listened for.
    pub fn listen(left_behind: impl Fn() -> String + Send + 'static) -> anyhow::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let mut terminates = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let this = Self { cancel: CancellationToken::new(), first: Arc::default() };
        let listener = this.clone();
        tokio::spawn(async move {
            loop {
                let got = tokio::select! {
                    _ = interrupts.recv() => Signal::Interrupt,
                    _ = terminates.recv() => Signal::Terminate,
                };
                listener.got(got, &left_behind);
            }
        });
        Ok(this)
    }

    /// The first signal, where there was one.
    pub fn signal(&self) -> Option<Signal> {
        self.first.get().copied()
    }

    fn got(&self, signal: Signal, left_behind: &impl Fn() -> String) {
        if self.first.set(signal).is_ok() {
            eprintln!("\ninterrupted: collecting evidence and cleaning up; once more ends at once");
            self.cancel.cancel();
            return;
        }
        eprintln!("\ninterrupted again, ending at once; {}", left_behind());
        std::process::exit(i32::from(signal.exit().code()));
    }
}
