//! SIGTERM and SIGINT.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::log;

/// The signals that end the process; whoever doesn't ask for them ignores them.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    ignored: bool,
    linger: Option<(Duration, Box<dyn FnOnce() + Send>)>,
}

impl Signals {
    /// Catches the signals from now on.
    pub fn new(ignored: bool) -> Result<Self> {
        let caught = |kind| signal(kind).context("signals can't be caught");
        let (terminate, interrupt) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, ignored, linger: None })
    }

    /// Lets so much time pass between the signal and the end, and does this at the signal.
    pub fn linger(&mut self, time: Duration, at_signal: impl FnOnce() + Send + 'static) {
        self.linger = Some((time, Box::new(at_signal)));
    }

    /// Returns when the process is to end.
    pub async fn terminate(&mut self) {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            if !self.ignored {
                let linger = self.linger.take().map(|(time, at_signal)| {
                    at_signal();
                    time
                });
                log::info(format_args!("{name}: ending"));
                tokio::time::sleep(linger.unwrap_or_default()).await;
                return;
            }
            log::warn(format_args!("fault sigterm-ignored: {name} ignored"));
        }
    }
}
