//! What a node remembers of the time when it slept as a leader, for the planted faults of one that goes on as if it still
//! led.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::jobs::now_ms;

/// What a node remembers of its last sleep.
#[derive(Debug, Default)]
pub struct OldLeader(Mutex<Option<Slept>>);

#[derive(Clone, Copy, Debug)]
struct Slept {
    /// When it fell asleep, in milliseconds since 1970.
    at_ms: u64,
    woke: Instant,
}

impl OldLeader {
    fn locked(&self) -> MutexGuard<'_, Option<Slept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that it woke up just now.
    pub fn woke_after(&self, slept: Duration) {
        let at_ms = now_ms().saturating_sub(u64::try_from(slept.as_millis()).unwrap_or(u64::MAX));
        *self.locked() = Some(Slept { at_ms, woke: Instant::now() });
    }

    /// Returns how long ago it fell asleep, if it woke up less than this long ago.
    pub fn slept_ago(&self, goes_on: Duration) -> Option<Duration> {
        let slept = self.locked().filter(|slept| slept.woke.elapsed() < goes_on)?;
        Some(Duration::from_millis(now_ms().saturating_sub(slept.at_ms)))
    }
}
