//! The planted faults of a leader that sleeps and, once it wakes, goes on as if it still led.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openraft::ServerState;

use crate::faults::Fault;
use crate::jobs::now_ms;
use crate::log;
use crate::node::Node;

/// How often the process looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a node remembers of the time when it slept as a leader.
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
}

impl Node {
    /// Returns how old the state is in which the node still lives, if a planted fault lets it go on as a leader.
    pub fn lives_in_the_past(&self, fault: Fault) -> Option<Duration> {
        let goes_on = self.config.faults.after(fault)?;
        let slept = self.old_leader.locked().filter(|slept| slept.woke.elapsed() < goes_on)?;
        Some(Duration::from_millis(now_ms().saturating_sub(slept.at_ms)))
    }

    /// Notices when the process did not run for longer than an election takes, although it led.
    pub async fn watch_sleep(&self) {
        if ![Fault::OldLeaderReads, Fault::OldLeaderWrites].iter().any(|fault| self.config.faults.has(*fault)) {
            return;
        }
        let leads = || self.raft.metrics().borrow().state == ServerState::Leader;
        let (mut led, mut last) = (leads(), Instant::now());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let slept = last.elapsed();
            if led && slept > self.config.timing.election {
                log::warn(format_args!("fault old-leader: slept for {slept:?}, and goes on as the leader"));
                let at_ms = now_ms().saturating_sub(u64::try_from(slept.as_millis()).unwrap_or(u64::MAX));
                *self.old_leader.locked() = Some(Slept { at_ms, woke: Instant::now() });
            }
            (led, last) = (leads(), Instant::now());
        }
    }
}
