//! SIGTERM and SIGINT.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::log;

/// The signals that end the process; without this, they are ignored.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    ignored: bool,
    linger: Option<(Duration, Box<dyn FnOnce() + Send>)>,
    /// When the process ends, once a signal has arrived.
    end: Option<Instant>,
}

impl Signals {
    /// Catches the signals from now on.
    pub fn new(ignored: bool) -> Result<Self> {
        let caught = |kind| signal(kind).context("signals can't be caught");
        let (terminate, interrupt) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, ignored, linger: None, end: None })
    }

    /// Sets how long the process lingers after the signal, and what it does at the signal.
    pub fn linger(&mut self, time: Duration, at_signal: impl FnOnce() + Send + 'static) {
        self.linger = Some((time, Box::new(at_signal)));
    }

    /// Returns when the process should end. If it is dropped earlier, a signal that it saw counts the next time.
    pub async fn terminate(&mut self) {
        let end = loop {
            if let Some(end) = self.end {
                break end;
            }
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            if self.ignored {
                log::warn(format_args!("fault sigterm-ignored: {name} ignored"));
            } else {
                self.end = Some(self.begin_to_end(name));
            }
        };
        tokio::time::sleep_until(end).await;
    }

    fn begin_to_end(&mut self, name: &str) -> Instant {
        let linger = self.linger.take().map(|(time, at_signal)| {
            at_signal();
            time
        });
        log::info(format_args!("{name}: ending"));
        Instant::now() + linger.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_signal_seen_by_a_dropped_wait_counts_the_next_time() {
        let mut signals = Signals::new(false).unwrap();
        let (tell, seen) = tokio::sync::oneshot::channel();
        signals.linger(Duration::from_secs(1), || tell.send(()).unwrap());
        kill_process(getpid(), Signal::INT).unwrap();
        tokio::select! {
            () = signals.terminate() => panic!("it does not linger"),
            seen = seen => seen.unwrap(),
        }
        signals.terminate().await;
    }
}
