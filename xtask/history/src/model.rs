//! The data of a history. All times are nanoseconds since the start of the run, measured with one monotonic clock.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What the application promises about its records, as the suite declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Records are created once under a unique key; a read sees everything that was acknowledged before it began.
    Set,
    /// Like `Set`, but a read may be late: it must see every acknowledged record in the end.
    EventualSet,
    /// Keys are written repeatedly, values are unique; every operation takes effect at one instant.
    Register,
    /// Like `Register`, but a read may be late; it never goes back in time for one client, and in the end every replica
    /// returns the last acknowledged value, or one written concurrently or later.
    EventualRegister,
    /// Nothing: no record is judged. Clients only show whether the application is available.
    None,
}

impl Promise {
    /// Returns whether a read may return an outdated state before the end.
    pub fn allows_late_reads(self) -> bool {
        matches!(self, Self::EventualSet | Self::EventualRegister)
    }
}

/// The kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Write `value` under `key`.
    Write,
    /// Read `key`; `value` is the result, none if it is absent.
    Read,
    /// Delete `key`; sets only.
    Delete,
    /// Check whether the application is healthy; `key` says what was checked.
    Health,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was acknowledged.
    Ok,
    /// It certainly had no effect: it was refused, or never sent.
    Failed,
    /// It may have an effect, now or later: a time-out, a broken connection.
    Unknown,
}

/// The connection of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// A new connection to a pod.
    New,
    /// A connection to a pod, kept from the previous request.
    Reused,
    /// A new connection through the Service, from inside the cluster.
    Service,
    /// A connection through the Service, from inside the cluster, kept from the previous request.
    ServiceReused,
    /// None: it is the readiness of the replicas, as the API server reports it.
    Readiness,
}

impl Connection {
    /// Returns whether a connection is kept from one request to the next.
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Reused | Self::ServiceReused)
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Reused => "reused",
            Self::Service => "service",
            Self::ServiceReused => "service, reused",
            Self::Readiness => "readiness",
        })
    }
}

/// The part of a case to which an operation belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Concurrent with the fault.
    #[default]
    Workload,
    /// Before this case: a record from an earlier case that must still exist.
    Earlier,
    /// Looks up the effect of an operation with an unknown outcome.
    Lookup,
    /// Reads everything back after recovery; the last such read through each replica is its final state.
    ReadBack,
}

/// One operation of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The client; each client has one operation in progress at a time.
    pub client: String,
    /// The replica that received the request, `caesium-1`; none if the Service chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// The connection of the request.
    pub connection: Connection,
    /// The part of the case.
    #[serde(default)]
    pub stage: Stage,
    /// The kind of operation.
    pub kind: OperationKind,
    /// The record.
    pub key: String,
    /// The value written or read; none for a read that found nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was sent.
    pub start_ns: u64,
    /// When its result was known.
    pub end_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether a new connection was not accepted, or ended without a response.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

impl Operation {
    /// Returns an operation that ended ok: concurrent with the fault, over a new connection, without a value or a known
    /// replica.
    pub fn new(
        client: impl Into<String>,
        kind: OperationKind,
        key: impl Into<String>,
        (start_ns, end_ns): (u64, u64),
    ) -> Self {
        Self {
            client: client.into(),
            replica: None,
            connection: Connection::New,
            stage: Stage::Workload,
            kind,
            key: key.into(),
            value: None,
            start_ns,
            end_ns,
            outcome: Outcome::Ok,
            error: None,
            refused: false,
        }
    }

    /// Returns whether this is an acknowledged write or a successful check of its health.
    pub fn shows_that_it_works(&self) -> bool {
        matches!(self.kind, OperationKind::Write | OperationKind::Health) && self.outcome == Outcome::Ok
    }

    /// Returns whether this is a successful read.
    pub fn is_answered_read(&self) -> bool {
        self.kind == OperationKind::Read && self.outcome == Outcome::Ok
    }
}

/// An injected fault, and the evidence that it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `delete Pod/caesium-1, grace 0`.
    pub what: String,
    /// When it was injected.
    pub start_ns: u64,
    /// When it was undone, if it is one that lasts until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed_ns: Option<u64>,
    /// The replicas that it stopped or cut off until then.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub apart: BTreeSet<String>,
    /// When everything was ready again; none if that never happened.
    pub recovered_ns: Option<u64>,
    /// When another leader was first seen, if the application reports its leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_leader_ns: Option<u64>,
    /// What changed: `UID 1b… → 77…`, `restartCount 0 → 1`. None if nothing shows that it happened.
    pub evidence: Option<String>,
}

impl Fault {
    /// Returns a fault of an instant, without evidence or recovery.
    pub fn new(what: impl Into<String>, start_ns: u64) -> Self {
        Self {
            what: what.into(),
            start_ns,
            healed_ns: None,
            apart: BTreeSet::new(),
            recovered_ns: None,
            new_leader_ns: None,
            evidence: None,
        }
    }
}

/// The lowest numbers of writes with which a history proves something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minimum {
    /// Acknowledged writes before the first fault.
    pub before: usize,
    /// Acknowledged writes from the first fault to the last recovery.
    pub during: usize,
    /// Acknowledged writes after the last recovery.
    pub after: usize,
}

/// The first line of a history file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always [`file::FORMAT`](crate::file::FORMAT).
    pub format: String,
    /// The case that recorded it.
    pub case: String,
    /// What the application promises.
    pub promise: Promise,
    /// Every replica that must agree in the end.
    pub replicas: Vec<String>,
    /// The required numbers of writes.
    pub minimum: Minimum,
}

/// All operations around the faults of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The header.
    pub header: Header,
    /// In any order.
    pub operations: Vec<Operation>,
    /// In the order in which they were injected.
    pub faults: Vec<Fault>,
}

/// The verdict of a checker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// The property holds.
    Holds,
    /// The property is violated; one line per finding, the clearest first.
    Violated(Vec<String>),
    /// It can't be decided, which counts as failed.
    Undecided(String),
}

impl Verdict {
    /// Returns `Holds` if there are no findings.
    pub fn of(findings: Vec<String>) -> Self {
        if findings.is_empty() { Self::Holds } else { Self::Violated(findings) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => f.write_str("holds"),
            Self::Violated(findings) => write!(f, "violated: {}", findings.join("; ")),
            Self::Undecided(why) => write!(f, "undecided: {why}"),
        }
    }
}
