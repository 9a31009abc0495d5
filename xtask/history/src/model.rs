//! What a history is made of. All times are nanoseconds of one monotonic clock since the run began.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the application promises about its records; the suite says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Records are created once under a unique key; a read sees all that was acknowledged before it began.
    Set,
    /// As `Set`, but a read may be late: it must see every acknowledged record in the end.
    EventualSet,
    /// Keys are written again, values are unique; every operation takes effect at one instant.
    Register,
    /// As `Register`, but a read may be late; it never goes back in time for one client, and in the end every replica
    /// returns the last acknowledged value, or one written at the same time or later.
    EventualRegister,
}

impl Promise {
    /// Whether a read may return an older state than it has to in the end.
    pub fn allows_late_reads(self) -> bool {
        matches!(self, Self::EventualSet | Self::EventualRegister)
    }
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Write `value` under `key`.
    Write,
    /// Read `key`; `value` is what came back, none where it is absent.
    Read,
    /// Delete `key`; sets only.
    Delete,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was acknowledged.
    Ok,
    /// It certainly had no effect: it was refused, or never sent.
    Failed,
    /// It may or may not have had an effect, now or later: a time-out, a broken connection.
    Unknown,
}

/// Over what a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// A connection of its own, to a pod.
    New,
    /// A connection kept from the request before, to a pod.
    Reused,
    /// From inside the cluster, through the Service, a connection of its own.
    Service,
    /// From inside the cluster, through the Service, a connection kept from the request before.
    ServiceReused,
}

impl Connection {
    /// Whether a connection is kept from one request to the next.
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
        })
    }
}

/// Which part of a case an operation belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Concurrent with the fault.
    #[default]
    Workload,
    /// Before this case: a record that an earlier one left, and that has to be there still.
    Earlier,
    /// Looks up what became of an operation that ended unknown.
    Lookup,
    /// Reads everything back after recovery; the last such read through each replica is its final state.
    ReadBack,
}

/// One operation of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The client; one client has one operation under way at a time.
    pub client: String,
    /// The replica that was asked, `caesium-1`; none where the Service chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// Over what the request went.
    pub connection: Connection,
    /// Which part of the case.
    #[serde(default)]
    pub stage: Stage,
    /// What was asked.
    pub kind: OperationKind,
    /// The record.
    pub key: String,
    /// Written, or read; none for a read that found nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was sent.
    pub start_ns: u64,
    /// When its end was known.
    pub end_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// A new connection that nobody took, or that ended without an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

impl Operation {
    /// An operation that ended ok: concurrent with the fault, over a connection of its own, without a value and a
    /// replica that is known.
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

    /// Whether this is a read that was answered.
    pub fn is_answered_read(&self) -> bool {
        self.kind == OperationKind::Read && self.outcome == Outcome::Ok
    }
}

/// A fault that was injected, and what shows that it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `delete Pod/caesium-1, grace 0`.
    pub what: String,
    /// When it was injected.
    pub start_ns: u64,
    /// When everything was ready again; none if it never was.
    pub recovered_ns: Option<u64>,
    /// When another leader was first seen, where the application tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_leader_ns: Option<u64>,
    /// What changed: `UID 1b… → 77…`, `restartCount 0 → 1`. None: nothing shows that it happened.
    pub evidence: Option<String>,
}

/// The least that makes a history worth judging.
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
    /// The case that made it.
    pub case: String,
    /// What the application promises.
    pub promise: Promise,
    /// Every replica that has to agree in the end.
    pub replicas: Vec<String>,
    /// The least that makes it worth judging.
    pub minimum: Minimum,
}

/// Everything that was done around the faults of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What it is, and what is promised.
    pub header: Header,
    /// In any order.
    pub operations: Vec<Operation>,
    /// In the order in which they were injected.
    pub faults: Vec<Fault>,
}

/// What a checker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// The property holds.
    Holds,
    /// It does not; one line per finding, the first the clearest.
    Violated(Vec<String>),
    /// It can't be decided, which counts as red.
    Undecided(String),
}

impl Verdict {
    /// `Holds` where there is no finding.
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
