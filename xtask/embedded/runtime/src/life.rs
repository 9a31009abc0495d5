//! The life of a container's program: signals to it, and its end.

use chrono::Utc;
use rustix::process::Signal;
use tokio::sync::watch;

use crate::process::Process;
use crate::spec::Exit;

/// A handle that signals a container's program and waits for its end. Cheap to clone; dropping it does nothing to the
/// container.
#[derive(Debug, Clone)]
pub struct Life {
    pub process: Process,
    /// Set once the container's output is in its log and its files are gone.
    pub exit: watch::Receiver<Option<Exit>>,
}

impl Life {
    /// Sends a signal; does nothing if the program has ended or if there is no such signal.
    pub fn signal(&self, signal: i32) {
        if let Some(signal) = Signal::from_named_raw(signal) {
            self.process.signal(signal);
        }
    }

    /// Waits for the end, any number of times.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let end = exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone());
        end.unwrap_or_else(|| {
            let now = Utc::now();
            Exit { code: 255, signal: None, oom_killed: false, started_at: now, finished_at: now }
        })
    }

    /// Returns whether [`wait`](Self::wait) would return at once.
    pub fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }
}
