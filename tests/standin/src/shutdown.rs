//! SIGTERM and SIGINT.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::log;

/// The signals that end the process; whoever doesn't ask for them ignores them.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    ignored: bool,
}

impl Signals {
    /// Catches the signals from now on.
    pub fn new(ignored: bool) -> Result<Self> {
        let caught = |kind| signal(kind).context("signals can't be caught");
        Ok(Self { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())?, ignored })
    }

    /// Returns when the process is to end.
    pub async fn terminate(&mut self) {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            if !self.ignored {
                log::info(format_args!("{name}: ending"));
                return;
            }
            log::warn(format_args!("fault sigterm-ignored: {name} ignored"));
        }
    }
}
