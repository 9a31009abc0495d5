//! Linearizability of registers whose written values are all unique, decided by zones in O(n log n): P. B. Gibbons and
//! E. Korach, "Testing shared memories", SIAM J. Comput. 26 (1997).
//!
//! Per key, a write and the reads of its value form a cluster. With `s` its latest start and `f` its
//! earliest finish, `f < s` makes a forward zone: between them the key must hold this value and no
//! other. Otherwise `[s, f]` is a backward zone: some instant in it is enough. The history is
//! linearizable if no two forward zones overlap and no backward zone lies inside a forward one.
//! This can't judge compare-and-set, deletes and values that are written twice.

use std::collections::BTreeMap;

use crate::model::{Operation, OperationKind, Outcome, Verdict};
use crate::words::{seconds, through};

/// Judges every key separately: linearizability is a local property.
pub fn check(operations: &[Operation]) -> Verdict {
    let mut by_key: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        by_key.entry(&operation.key).or_default().push(operation);
    }
    let mut findings = Vec::new();
    for (key, operations) in by_key {
        match check_key(&operations) {
            Ok(()) => {}
            Err(Problem::Violation(why)) => findings.push(format!("key {key}: {why}")),
            Err(Problem::Undecidable(why)) => return Verdict::Undecided(format!("key {key}: {why}")),
        }
    }
    Verdict::of(findings)
}

enum Problem {
    Violation(String),
    Undecidable(String),
}

/// A write with the reads of its value. Times are signed: the initial state was "written" at −1, and a write with an
/// unknown end finishes at `i128::MAX`.
struct Cluster<'a> {
    value: Option<&'a str>,
    write: Option<&'a Operation>,
    latest_read: Option<&'a Operation>,
    write_start: i128,
    latest_start: i128,
    earliest_finish: i128,
    reads: usize,
}

impl Cluster<'_> {
    fn is_forward(&self) -> bool {
        self.earliest_finish < self.latest_start
    }

    fn name(&self) -> String {
        self.value.map_or_else(|| "the initial state".to_owned(), |value| format!("value {value}"))
    }

    /// Describes that an earlier value was read after this one was acknowledged; `None` if that is not what happened.
    fn gone_for(&self, earlier: &Self) -> Option<String> {
        let write =
            self.write.filter(|write| write.outcome == Outcome::Ok && earlier.write_start < self.write_start)?;
        let read = earlier.latest_read.filter(|read| read.start_ns >= write.end_ns)?;
        Some(format!(
            "{}, written through {} at {} and acknowledged after {} ms, was gone: a read through {} at {} returned {}",
            self.name(),
            through(write),
            seconds(write.start_ns),
            write.end_ns.saturating_sub(write.start_ns) / 1_000_000,
            through(read),
            seconds(read.start_ns),
            earlier.name()
        ))
    }
}

fn check_key(operations: &[&Operation]) -> Result<(), Problem> {
    let mut clusters = clusters_of_writes(operations)?;
    for read in operations.iter().filter(|o| o.is_answered_read()) {
        add_read(&mut clusters, read)?;
    }
    // A write that may never have happened and was never read is irrelevant.
    let zones = clusters.into_values().filter(|c| c.reads > 0 || c.earliest_finish < i128::MAX);
    let (mut forward, backward): (Vec<_>, Vec<_>) = zones.partition(Cluster::is_forward);
    forward.sort_by_key(|zone| zone.earliest_finish);
    forward_zones_are_apart(&forward)?;
    backward.iter().try_for_each(|zone| not_inside(zone, &forward))
}

/// Returns the state before the first write.
fn initial<'a>() -> Cluster<'a> {
    Cluster {
        value: None,
        write: None,
        latest_read: None,
        write_start: -1,
        latest_start: -1,
        earliest_finish: -1,
        reads: 0,
    }
}

fn clusters_of_writes<'a>(operations: &[&'a Operation]) -> Result<BTreeMap<Option<&'a str>, Cluster<'a>>, Problem> {
    let mut clusters = BTreeMap::from([(None, initial())]);
    for write in operations.iter().filter(|o| o.kind != OperationKind::Read && o.outcome != Outcome::Failed) {
        let Some(value) = write.value.as_deref().filter(|_| write.kind == OperationKind::Write) else {
            return Err(Problem::Undecidable("deletes can't be judged".to_owned()));
        };
        let start = i128::from(write.start_ns);
        let finish = if write.outcome == Outcome::Ok { i128::from(write.end_ns) } else { i128::MAX };
        let (value, write) = (Some(value), Some(*write));
        let cluster =
            Cluster { value, write, write_start: start, latest_start: start, earliest_finish: finish, ..initial() };
        if let Some(twice) = clusters.insert(value, cluster) {
            return Err(Problem::Undecidable(format!("{} was written twice", twice.name())));
        }
    }
    Ok(clusters)
}

fn add_read<'a>(clusters: &mut BTreeMap<Option<&'a str>, Cluster<'a>>, read: &'a Operation) -> Result<(), Problem> {
    let Some(cluster) = clusters.get_mut(&read.value.as_deref()) else {
        let value = read.value.as_deref().unwrap_or_default();
        return Err(Problem::Violation(format!("{} read {value}, which was never written", read.client)));
    };
    if i128::from(read.end_ns) < cluster.write_start {
        let why = format!("{} read {} before its write began", read.client, cluster.name());
        return Err(Problem::Violation(why));
    }
    cluster.reads += 1;
    if cluster.latest_read.is_none_or(|latest| latest.start_ns <= read.start_ns) {
        cluster.latest_read = Some(read);
    }
    cluster.latest_start = cluster.latest_start.max(i128::from(read.start_ns));
    cluster.earliest_finish = cluster.earliest_finish.min(i128::from(read.end_ns));
    Ok(())
}

/// Checks neighbours only, which is enough because `forward` is sorted by the earliest finish.
fn forward_zones_are_apart(forward: &[Cluster]) -> Result<(), Problem> {
    for pair in forward.windows(2) {
        if pair[1].earliest_finish < pair[0].latest_start {
            let why = format!("{} and {} were current at the same time", pair[0].name(), pair[1].name());
            return Err(Problem::Violation(why));
        }
    }
    Ok(())
}

/// Forward zones are disjoint and sorted here, so only the last that begins before `zone` can contain it.
fn not_inside(zone: &Cluster, forward: &[Cluster]) -> Result<(), Problem> {
    let begun = forward.partition_point(|f| f.earliest_finish < zone.latest_start);
    match forward[..begun].last() {
        Some(holder) if zone.earliest_finish < holder.latest_start => {
            let why = || format!("{} came and went while {} was current", zone.name(), holder.name());
            Err(Problem::Violation(zone.gone_for(holder).unwrap_or_else(why)))
        }
        _ => Ok(()),
    }
}
