//! Notices when the process did not run for longer than an election takes, although it led.

use std::time::{Duration, Instant};

use openraft::ServerState;

use crate::faults::Fault;
use crate::log;
use crate::node::Node;

/// How often the process looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Node {
    /// Watches the clock, if a planted fault needs it.
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
                self.old_leader.woke_after(slept);
            }
            (led, last) = (leads(), Instant::now());
        }
    }
}
