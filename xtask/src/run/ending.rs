//! How a run ends: on an interrupt, since its cluster is gone, or when all cases have; and whether one failed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use events::{Events, What};

/// How a run ends.
#[derive(Default)]
pub struct Ending {
    /// Cancelled when the run is interrupted.
    pub cancel: CancellationToken,
    /// Cancelled before the cluster is deleted: from then on it may be gone.
    pub cluster_ends: CancellationToken,
    /// Why the cluster is of no more use.
    pub lost: OnceLock<String>,
    failed: AtomicBool,
}

impl Ending {
    /// Of a run that `cancel` interrupts.
    pub fn on(cancel: CancellationToken) -> Self {
        Self { cancel, ..Self::default() }
    }

    /// Notes that a case failed.
    pub fn note_failure(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether a case failed so far.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Ends the run: the cluster is of no more use, for this reason. The first one counts.
    pub fn lose(&self, why: String, events: &Events) {
        if self.lost.set(why.clone()).is_ok() {
            self.note_failure();
            events.send(What::ClusterLost { why });
            self.cancel.cancel();
        }
    }

    /// Why the cluster is of no more use; none as long as it is.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}
