//! Faults planted on purpose, so that a check can be shown to fail when it should.
//!
//! `STANDIN_FAULT` is a comma-separated list of `name[=value][@ordinal]`; the ordinal is the number at the end of the
//! host name, since all pods of a workload share one environment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Writes that only the leader has when it acknowledges them.
    LostAcknowledgedWrite,
    /// Reads that return the node's own past state.
    StaleRead,
    /// Jobs that are not on disk when they are acknowledged.
    ForgetsFsync,
    /// A log that is damaged by a write that does not fit.
    DamagedWhenFull,
    /// A leader that slept, and then reads from its state of that time.
    OldLeaderReads,
    /// A leader that slept, and then acknowledges writes that only it has.
    OldLeaderWrites,
    /// Records of a db that are stored after they are acknowledged.
    LateWrite,
    /// Deleted jobs that reappear.
    ResurrectDeleted,
    /// A second cluster founded by an empty node that has peers.
    SecondBootstrap,
    /// The bug of July 2026: a changed address ends the process.
    AddressMismatch,
    /// A join that never happens.
    StuckJoin,
    /// No connection to the other nodes, in either direction.
    Isolated,
    /// Writes acknowledged without a majority.
    AcknowledgesAlone,
    /// Writes acknowledged without a majority, and kept after another node leads.
    SplitBrain,
    /// Reads of a leader that does not ask whether it still leads.
    UnconfirmedReads,
    /// No Raft messages any more after a silence.
    NeverCatchesUp,
    /// No Raft messages without a name server.
    NeedsDns,
    /// No room for another job.
    StorageFull,
    /// `/health` without a response.
    HealthHangs,
    /// `/health` with 503.
    Health503,
    /// `/health` with a delay.
    SlowHealth,
    /// HTTP opened late.
    SlowStart,
    /// HTTP never opened.
    NeverReady,
    /// HTTP on another port.
    WrongPort,
    /// An exit with 1, each time.
    CrashLoop,
    /// An exit with 1, the first time.
    CrashOnce,
    /// An exit with 1, the first two times.
    CrashTwice,
    /// SIGTERM without effect.
    SigtermIgnored,
    /// A write to the root file system.
    WriteReadOnlyRoot,
    /// Memory taken without end.
    MemoryHog,
}

impl Fault {
    /// Returns its name in `STANDIN_FAULT`.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.fault == self).map_or("unnamed", |row| row.name)
    }
}

struct Row {
    fault: Fault,
    name: &'static str,
    /// Unit and default of its value, if it takes one.
    value: Option<(&'static str, f64)>,
    effect: &'static str,
}

const fn plain(fault: Fault, name: &'static str, effect: &'static str) -> Row {
    Row { fault, name, value: None, effect }
}

const fn valued(fault: Fault, name: &'static str, unit: &'static str, default: f64, effect: &'static str) -> Row {
    Row { fault, name, value: Some((unit, default)), effect }
}

const TABLE: &[Row] = &[
    valued(
        Fault::LostAcknowledgedWrite,
        "lost-acknowledged-write",
        "n",
        3.0,
        "the leader acknowledges every nth new job without replicating it: readable until that process ends, then gone",
    ),
    valued(
        Fault::StaleRead,
        "stale-read",
        "seconds",
        5.0,
        "jobs are read from the queried node's own state, as it was this long ago",
    ),
    plain(
        Fault::ForgetsFsync,
        "forgets-fsync",
        "jobs are acknowledged before they are on disk: they are written, but not synced",
    ),
    plain(
        Fault::DamagedWhenFull,
        "damaged-when-full",
        "a write to the log that does not fit damages the log, so that the node can't start any more",
    ),
    valued(
        Fault::OldLeaderReads,
        "old-leader-reads",
        "seconds",
        5.0,
        "a leader that did not run for longer than an election takes reads jobs from its state of then for this long",
    ),
    valued(
        Fault::OldLeaderWrites,
        "old-leader-writes",
        "seconds",
        5.0,
        "a leader that did not run for longer than an election takes acknowledges new jobs for this long without \
         replicating them",
    ),
    valued(
        Fault::LateWrite,
        "late-write",
        "seconds",
        2.0,
        "a db acknowledges a record with 201 at once and stores it this much later, in the order of the writes",
    ),
    valued(
        Fault::ResurrectDeleted,
        "resurrect-deleted",
        "seconds",
        2.0,
        "a deleted job reappears this long after its deletion",
    ),
    plain(
        Fault::SecondBootstrap,
        "second-bootstrap",
        "with an empty directory, ordinal 0 founds a cluster of its own even if it has peers",
    ),
    plain(
        Fault::AddressMismatch,
        "address-mismatch",
        "a restart under another address ends with exit 1, as in July 2026, instead of adopting the address",
    ),
    plain(Fault::StuckJoin, "stuck-join", "joining never succeeds: HTTP stays closed and SIGTERM is ignored"),
    valued(
        Fault::Isolated,
        "isolated",
        "jobs",
        0.0,
        "once there are this many jobs, the node neither sends nor receives Raft messages",
    ),
    valued(
        Fault::AcknowledgesAlone,
        "acknowledges-alone",
        "seconds",
        1.0,
        "a leader whose write has no majority after this long acknowledges it: readable while that process leads, then gone",
    ),
    valued(
        Fault::SplitBrain,
        "split-brain",
        "seconds",
        1.0,
        "the same, but readable through that process until it ends, whoever leads",
    ),
    plain(
        Fault::UnconfirmedReads,
        "unconfirmed-reads",
        "a leader serves reads without asking a majority whether it still leads",
    ),
    valued(
        Fault::NeverCatchesUp,
        "never-catches-up",
        "seconds",
        8.0,
        "a node that has heard nothing of the others for this long neither sends nor receives Raft messages any more",
    ),
    plain(
        Fault::NeedsDns,
        "needs-dns",
        "before each message to another node, a name of the cluster is looked up; if that fails, it is not sent",
    ),
    valued(
        Fault::StorageFull,
        "storage-full",
        "jobs",
        0.0,
        "once there are this many jobs, another one gets 500: the disk is full",
    ),
    valued(Fault::HealthHangs, "health-hangs", "seconds", 0.0, "this long after HTTP opened, /health stops responding"),
    valued(Fault::Health503, "health-503", "seconds", 0.0, "this long after HTTP opened, /health returns 503"),
    valued(Fault::SlowHealth, "slow-health", "seconds", 2.0, "/health takes this much longer"),
    valued(Fault::SlowStart, "slow-start", "seconds", 20.0, "HTTP opens this much later"),
    plain(Fault::NeverReady, "never-ready", "HTTP never opens, though the node is a working member of the cluster"),
    valued(
        Fault::WrongPort,
        "wrong-port",
        "port",
        0.0,
        "HTTP listens on this port (0: the next one) instead of CAESIUM_PORT",
    ),
    valued(Fault::CrashLoop, "crash-loop", "seconds", 0.0, "exit 1 this long after every start"),
    valued(
        Fault::CrashOnce,
        "crash-once",
        "seconds",
        0.0,
        "exit 1 this long after the first start on this data directory",
    ),
    valued(
        Fault::CrashTwice,
        "crash-twice",
        "seconds",
        0.0,
        "exit 1 this long after each of the first two starts on this data directory",
    ),
    plain(Fault::SigtermIgnored, "sigterm-ignored", "SIGTERM has no effect"),
    plain(Fault::WriteReadOnlyRoot, "write-read-only-root", "writes a file to / at start and exits 1 if it can't"),
    valued(Fault::MemoryHog, "memory-hog", "MiB", 1024.0, "allocates this much memory, 32 MiB at a time, and keeps it"),
];

/// The planted faults of this process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(BTreeMap<Fault, f64>);

impl Faults {
    /// Parses the value of `STANDIN_FAULT`, keeping the faults of this ordinal.
    pub fn parse(list: &str, ordinal: Option<u32>) -> Result<Self> {
        let mut faults = BTreeMap::new();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let planted = planted(word).with_context(|| format!("STANDIN_FAULT: {word:?}"))?;
            if planted.ordinal.is_none() || planted.ordinal == ordinal {
                faults.insert(planted.fault, planted.value);
            }
        }
        Ok(Self(faults))
    }

    /// Returns whether the fault is planted.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains_key(&fault)
    }

    /// Returns the value of a planted fault.
    pub fn value(&self, fault: Fault) -> Option<f64> {
        self.0.get(&fault).copied()
    }

    /// Returns the value of a planted fault whose unit is seconds.
    pub fn after(&self, fault: Fault) -> Option<Duration> {
        self.value(fault).map(Duration::from_secs_f64)
    }

    /// Returns the value of a planted fault whose unit is a whole number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "parsed as a number from 0 to 1e9")]
    pub fn count(&self, fault: Fault) -> Option<usize> {
        self.value(fault).map(|value| value as usize)
    }

    /// Returns the planted faults, as written in `STANDIN_FAULT`.
    pub fn names(&self) -> Vec<String> {
        let written = |row: &Row| {
            let value = self.value(row.fault)?;
            Some(if row.value.is_some() { format!("{}={value}", row.name) } else { row.name.to_owned() })
        };
        TABLE.iter().filter_map(written).collect()
    }
}

/// Returns the table of faults, for `--help`.
pub fn help() -> String {
    let mut text = String::new();
    for row in TABLE {
        let head = match row.value {
            Some((unit, default)) => format!("{}[=<{unit}>, default {default}]", row.name),
            None => row.name.to_owned(),
        };
        let _ = writeln!(text, "  {head}\n      {}", row.effect);
    }
    text
}

struct Planted {
    fault: Fault,
    value: f64,
    ordinal: Option<u32>,
}

fn planted(word: &str) -> Result<Planted> {
    let (rest, ordinal) = match word.rsplit_once('@') {
        Some((rest, ordinal)) => (rest, Some(ordinal.parse().context("the ordinal after @ is not a number")?)),
        None => (word, None),
    };
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (rest, None),
    };
    let Some(row) = TABLE.iter().find(|row| row.name == name) else {
        let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        bail!("no such fault; expected one of {}", names.join(", "));
    };
    Ok(Planted { fault: row.fault, value: value_of(row, value)?, ordinal })
}

fn value_of(row: &Row, value: Option<&str>) -> Result<f64> {
    match (row.value, value) {
        (Some((_, default)), None) => Ok(default),
        (None, None) => Ok(0.0),
        (None, Some(_)) => bail!("takes no value"),
        (Some((unit, _)), Some(value)) => match value.parse::<f64>() {
            Ok(number) if (0.0..=1e9).contains(&number) => Ok(number),
            _ => bail!("{value:?} is not a number of {unit}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_defaults_and_ordinals_are_read() {
        let list = "slow-start=1.5, crash-loop@2,sigterm-ignored@0";
        let faults = Faults::parse(list, Some(0)).unwrap();
        assert_eq!(faults.after(Fault::SlowStart), Some(Duration::from_millis(1500)));
        assert_eq!(faults.names(), ["slow-start=1.5", "sigterm-ignored"]);
        assert!(Faults::parse(list, Some(2)).unwrap().has(Fault::CrashLoop));
        assert_eq!(Faults::parse(list, None).unwrap().names(), ["slow-start=1.5"]);
        assert_eq!(Faults::parse("", Some(0)).unwrap(), Faults::default());
    }

    #[test]
    fn a_misspelt_fault_is_rejected() {
        let refused = |list| format!("{:#}", Faults::parse(list, Some(0)).unwrap_err());
        assert!(
            refused("slow-strat=3")
                .contains("\"slow-strat=3\": no such fault; expected one of lost-acknowledged-write")
        );
        assert!(refused("never-ready=3").contains("takes no value"));
        assert!(refused("slow-start=soon").contains("\"soon\" is not a number of seconds"));
        assert!(refused("slow-start=-1").contains("is not a number of seconds"));
        assert!(refused("crash-loop@first").contains("the ordinal after @ is not a number"));
    }

    #[test]
    fn every_fault_has_one_row() {
        let mut names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        assert!(names.iter().all(|name| help().contains(name)));
    }
}
