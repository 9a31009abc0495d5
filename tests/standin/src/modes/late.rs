//! The fault late-write: records that are acknowledged at once and stored later, in their order.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::records::Records;
use crate::faults::{Fault, Faults};
use crate::log;

/// A key with its value, and when it is stored.
type Write = (Instant, String, String);

/// Writes that are still to be stored.
#[derive(Clone, Debug)]
pub struct Late {
    after: Duration,
    writes: UnboundedSender<Write>,
}

impl Late {
    /// Begins to store, if the fault is planted.
    pub fn plant(faults: &Faults, records: &Arc<Records>) -> Option<Self> {
        let after = faults.after(Fault::LateWrite)?;
        let (writes, due) = mpsc::unbounded_channel();
        tokio::spawn(store(due, records.clone()));
        Some(Self { after, writes })
    }

    /// Stores a record when its time has come.
    pub fn write(&self, key: String, value: String) {
        // What is lost at the end of the process was acknowledged all the same: that is the fault.
        drop(self.writes.send((Instant::now() + self.after, key, value)));
    }
}

async fn store(mut due: UnboundedReceiver<Write>, records: Arc<Records>) {
    while let Some((at, key, value)) = due.recv().await {
        tokio::time::sleep_until(at).await;
        if let Err(error) = records.change(|content| content.records.insert(key, value)) {
            log::error(format_args!("fault late-write: {error:#}"));
        }
    }
}
