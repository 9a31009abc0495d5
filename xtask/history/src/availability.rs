//! Availability around each fault: measurements without a verdict; the suite's budget judges them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Connection, Fault, History, Operation, Outcome, Stage};

/// The measurements for one kind of connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// The longest time without any acknowledged operation.
    pub longest_gap_ms: u64,
    /// Operations that ended failed or unknown.
    pub errors: usize,
    /// Operations that ended ok.
    pub acknowledged: usize,
}

/// The measurements for one fault, from its start to that of the next, or to the last operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Availability {
    /// The fault.
    pub fault: String,
    /// By kind of connection; unused kinds are absent.
    pub by_connection: BTreeMap<Connection, Figures>,
    /// The time until another leader was first seen, if the leader was lost and the application reports its leader.
    pub new_leader_ms: Option<u64>,
    /// The time until everything was ready again.
    pub recovered_ms: Option<u64>,
    /// By side, if the fault stopped or cut off some of the replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
}

/// The measurements while a fault lasted, over the connections to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// Through the replicas that it stopped or cut off.
    pub apart: Figures,
    /// Through the others.
    pub others: Figures,
}

/// Measures a history. Returns the measurements for each fault, in order.
pub fn measure(history: &History) -> Vec<Availability> {
    let mut faults: Vec<_> = history.faults.iter().collect();
    faults.sort_by_key(|fault| fault.start_ns);
    let ends = faults.iter().skip(1).map(|next| next.start_ns).chain([u64::MAX]);
    faults.iter().zip(ends).map(|(fault, to_ns)| of(fault, to_ns, &history.operations)).collect()
}

/// Returns the worst value of each measurement.
pub fn worst(all: &[Availability]) -> Availability {
    let mut worst = Availability::default();
    for one in all {
        for (connection, figures) in &one.by_connection {
            let so_far = worst.by_connection.entry(*connection).or_default();
            so_far.longest_gap_ms = so_far.longest_gap_ms.max(figures.longest_gap_ms);
            so_far.errors = so_far.errors.max(figures.errors);
            so_far.acknowledged += figures.acknowledged;
        }
        worst.new_leader_ms = worst.new_leader_ms.max(one.new_leader_ms);
        worst.recovered_ms = worst.recovered_ms.max(one.recovered_ms);
    }
    worst
}

fn of(fault: &Fault, to_ns: u64, operations: &[Operation]) -> Availability {
    let from_ns = fault.start_ns;
    let within = |o: &&Operation| o.stage == Stage::Workload && o.end_ns >= from_ns && o.start_ns < to_ns;
    let mut by_connection: BTreeMap<Connection, Vec<&Operation>> = BTreeMap::new();
    for operation in operations.iter().filter(within) {
        by_connection.entry(operation.connection).or_default().push(operation);
    }
    let since = |then_ns: Option<u64>| Some(to_ms(then_ns?.saturating_sub(from_ns)));
    Availability {
        fault: fault.what.clone(),
        by_connection: by_connection.into_iter().map(|(c, operations)| (c, figures(operations, from_ns))).collect(),
        new_leader_ms: since(fault.new_leader_ns),
        recovered_ms: since(fault.recovered_ns),
        sides: sides(fault, operations),
    }
}

fn sides(fault: &Fault, operations: &[Operation]) -> Option<Sides> {
    let healed_ns = fault.healed_ns.filter(|_| !fault.apart.is_empty())?;
    let of_side = |is_apart: bool| {
        let counts = |o: &&Operation| {
            let through = o.replica.as_ref().is_some_and(|replica| fault.apart.contains(replica) == is_apart);
            through && o.stage == Stage::Workload && o.end_ns >= fault.start_ns && o.end_ns < healed_ns
        };
        figures(operations.iter().filter(counts).collect(), fault.start_ns)
    };
    Some(Sides { apart: of_side(true), others: of_side(false) })
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
