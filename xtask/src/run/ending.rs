//! The end of a run: after an interrupt, after the loss of its cluster, or after all cases.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use events::{Events, What};

/// The end of a run.
#[derive(Default)]
pub struct Ending {
    /// Cancelled when the run is interrupted.
    pub cancel: CancellationToken,
    /// Cancelled before the cluster is deleted: from then on it may be gone.
    pub cluster_ends: CancellationToken,
    /// Why the cluster was lost.
    pub lost: OnceLock<String>,
    failed: AtomicBool,
}

impl Ending {
    /// Returns the ending of a run that `cancel` interrupts.
    pub fn on(cancel: CancellationToken) -> Self {
        Self { cancel, ..Self::default() }
    }

    /// Records that a case failed.
    pub fn note_failure(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether a case has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Ends the run because the cluster was lost. Only the first reason counts.
    pub fn lose(&self, why: String, events: &Events) {
        if self.lost.set(why.clone()).is_ok() {
            self.note_failure();
            events.send(What::ClusterLost { why });
            self.cancel.cancel();
        }
    }

    /// Returns why the cluster was lost, or `None` if it was not.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}
