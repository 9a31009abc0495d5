//! Availability around a fault: figures, not a verdict; the suite's budget judges them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Connection, History, Operation, Outcome, Stage};

/// What clients of one kind of connection met, from the first fault to the last operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// The longest time without any acknowledged operation.
    pub longest_gap_ms: u64,
    /// Operations that ended failed or unknown.
    pub errors: usize,
    /// Operations that ended ok.
    pub acknowledged: usize,
}

/// The figures of one history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Availability {
    /// By kind of connection; kinds that were not used are absent.
    pub by_connection: BTreeMap<Connection, Figures>,
    /// From the last fault to the first sight of another leader, where the application tells.
    pub new_leader_ms: Option<u64>,
    /// The longest time from a fault to everything ready again.
    pub recovered_ms: Option<u64>,
}

/// Measures a history.
pub fn measure(history: &History) -> Availability {
    let from_ns = history.faults.first().map_or(0, |fault| fault.start_ns);
    let workload = history.operations.iter().filter(|o| o.stage == Stage::Workload && o.end_ns >= from_ns);
    let mut by_connection: BTreeMap<Connection, Vec<&Operation>> = BTreeMap::new();
    for operation in workload {
        by_connection.entry(operation.connection).or_default().push(operation);
    }
    Availability {
        by_connection: by_connection.into_iter().map(|(c, operations)| (c, figures(operations, from_ns))).collect(),
        new_leader_ms: history.faults.last().and_then(|f| Some(to_ms(f.new_leader_ns?.saturating_sub(f.start_ns)))),
        recovered_ms: history
            .faults
            .iter()
            .filter_map(|f| Some(to_ms(f.recovered_ns?.saturating_sub(f.start_ns))))
            .max(),
    }
}

fn figures(mut operations: Vec<&Operation>, from_ns: u64) -> Figures {
    operations.sort_by_key(|o| o.end_ns);
    let last_ns = operations.last().map_or(from_ns, |o| o.end_ns);
    let acknowledged: Vec<u64> = operations.iter().filter(|o| o.outcome == Outcome::Ok).map(|o| o.end_ns).collect();
    let ends = acknowledged.iter().copied().chain([last_ns]);
    let starts = [from_ns].into_iter().chain(acknowledged.iter().copied());
    let longest_ns = starts.zip(ends).map(|(start, end)| end.saturating_sub(start)).max();
    Figures {
        longest_gap_ms: to_ms(longest_ns.unwrap_or(0)),
        errors: operations.len() - acknowledged.len(),
        acknowledged: acknowledged.len(),
    }
}

fn to_ms(ns: u64) -> u64 {
    ns / 1_000_000
}
