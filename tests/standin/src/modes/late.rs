//! The fault late-write: records are acknowledged at once and stored later, in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::records::Records;
use crate::faults::{Fault, Faults};
use crate::log;

/// When a record is stored, its key and its value.
type Write = (Instant, String, String);

/// Writes that have not been stored yet.
#[derive(Clone, Debug)]
pub struct Late {
    after: Duration,
    writes: UnboundedSender<Write>,
}

impl Late {
    /// Starts storing, if the fault is planted.
    pub fn plant(faults: &Faults, records: &Arc<Records>) -> Option<Self> {
        let after = faults.after(Fault::LateWrite)?;
        let (writes, due) = mpsc::unbounded_channel();
        tokio::spawn(store(due, records.clone()));
        Some(Self { after, writes })
    }

    /// Stores a record when its time has come.
    pub fn write(&self, key: String, value: String) {
        // A write that is lost at the end of the process was already acknowledged: that is the fault.
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
