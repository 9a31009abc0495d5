//! How long a watch that broke pauses before it begins again.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// The pause before a watch that broke is begun again: doubled each time, within what a wait can afford
/// (kube's own goes up to 30 s).
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
