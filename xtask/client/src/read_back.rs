//! Reads records through each replica, over several connections at once, since most of the time of a read is latency.

use std::sync::Arc;
use std::time::Instant;

use history::{Connection as Over, Operation, OperationKind, Stage};
use serde::{Deserialize, Serialize};

use crate::application::{self, Record};
use crate::host::Host;
use crate::reach::Reach;
use crate::records::Read;
use crate::target;
use crate::template::{Fill, Secrets};

/// The number of connections to each replica.
pub const CONNECTIONS: usize = 4;

/// Records, and the replicas through which each of them is read.
#[derive(Serialize, Deserialize)]
pub struct ReadBack {
    /// The name and the host of each replica.
    pub replicas: Vec<(String, String)>,
    /// The records, each with a key of its own: two parallel reads of a key by one client would have no order.
    pub records: Vec<Record>,
    /// How they are read.
    pub read: Read,
    /// Ports and time limits.
    pub reach: Reach,
    /// The values of Secrets in the request.
    pub secrets: Secrets,
}

/// What one connection reads.
pub struct Lane {
    replica: String,
    host: Host,
    records: Vec<Record>,
    what: Arc<ReadBack>,
}

impl ReadBack {
    /// Divides the records among the connections.
    pub fn lanes(self) -> Vec<Lane> {
        let what = Arc::new(self);
        let each = what.records.len().div_ceil(CONNECTIONS).max(1);
        let lanes_of = |(replica, host): &(String, String)| {
            let lane = |records: &[Record]| Lane {
                replica: replica.clone(),
                host: Host { name: host.clone(), reach: what.reach.clone() },
                records: records.to_vec(),
                what: what.clone(),
            };
            what.records.chunks(each).map(lane).collect::<Vec<_>>()
        };
        what.replicas.iter().flat_map(lanes_of).collect()
    }
}

impl Lane {
    /// Reads its records, and passes each successful read to `sink`, with times since `began`. It gives up when one fails.
    pub async fn run(self, began: Instant, sink: impl Fn(Operation)) {
        let (read, mut kept) = (&self.what.read, None);
        let timeout = self.what.reach.timeout(&read.request);
        for record in &self.records {
            let fill = Fill { secrets: Some(&self.what.secrets), ..record.fill() };
            let start_ns = elapsed_ns(began);
            let exchange = target::ask(&self.host, kept.take(), &read.request, fill, timeout).await;
            kept = exchange.connection;
            let Ok(value) = application::got(read, exchange.response) else { return };
            sink(operation(&self.replica, record, value, (start_ns, elapsed_ns(began))));
        }
    }
}

/// Returns the operation that read a record back through a replica.
pub fn operation(replica: &str, record: &Record, value: Option<String>, times: (u64, u64)) -> Operation {
    let read = Operation::new(format!("reader-{replica}"), OperationKind::Read, &record.key, times);
    Operation { replica: Some(replica.to_owned()), connection: Over::Reused, stage: Stage::ReadBack, value, ..read }
}

/// Returns the nanoseconds since then.
pub(crate) fn elapsed_ns(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
