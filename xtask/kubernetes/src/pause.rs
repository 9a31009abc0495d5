//! The pause before a broken watch is restarted.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// The pause before a broken watch is restarted: doubled each time, but shorter than kube's own (up to 30 s), which is
/// too long for a wait.
pub(super) struct Pause(Duration);

impl Pause {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);
}

impl Default for Pause {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = Self::LONGEST.min(self.0 * 2);
        Some(pause)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        *self = Self::default();
    }
}
