//! A run's single stream of events, and limits on what a run writes.
//!
//! Cases send events; reports only consume them. This crate knows the types of events and when they happened. It must not
//! know who sends them or how a report shows them.

pub mod bounds;
pub mod log_file;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use history::{OperationKind, Outcome};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// The name of a case: `caesium::r3::pod_kill_leader`, `cluster::create`.
pub type CaseName = String;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The property was checked and holds.
    Passed {
        /// One line for the summary, such as measurements; may be empty.
        note: String,
    },
    /// The property does not hold, or could not be checked.
    Failed {
        /// The first line must be understandable on its own; evidence follows on separate lines.
        message: String,
    },
    /// The case does not apply to this cluster; nothing was checked.
    NotApplicable {
        /// The unmet requirement: `the cluster has one node, several are needed`.
        why: String,
    },
    /// The case did not run because `blocked_by` failed.
    NotRun {
        /// The case that failed first.
        #[serde(alias = "culprit")]
        blocked_by: CaseName,
    },
}

/// One event. Times are measured from the start of the run with one monotonic clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Time since the start of the run.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum What {
    /// The run started: what is tested, and on what.
    RunStarted {
        /// The run's ID, part of the name of its directory and of everything it creates.
        run_id: String,
        /// `kind`, `embedded` or `context:NAME`.
        cluster: String,
        /// The image under test, including whether it is the stand-in.
        image: String,
        /// All selected cases, in order.
        cases: Vec<CaseName>,
        /// The time when `at_ms` was zero, in milliseconds since 1970, to relate it to other clocks.
        #[serde(default)]
        began_unix_ms: u64,
        /// The command that repeats this run; with `--exact CASE` appended it runs one case again.
        #[serde(default, alias = "again")]
        rerun_command: String,
    },
    /// The cases that were requested; all others run because these depend on them.
    Selected {
        /// The cases, in order.
        cases: Vec<CaseName>,
    },
    /// The cluster went away, or its nodes can't become ready. The run ends, and its verdicts are not about the chart.
    ClusterLost {
        /// How this was detected.
        why: String,
    },
    /// A case started.
    CaseStarted {
        /// The case.
        case: CaseName,
    },
    /// What a case is currently waiting for: `2/3 ready, caesium-2 pulling`.
    Waiting {
        /// The case.
        case: CaseName,
        /// The state it waits for.
        state: String,
    },
    /// A case ended.
    CaseEnded {
        /// The case.
        case: CaseName,
        /// How long it ran, without the time it was queued.
        took_ms: u64,
        /// The verdict.
        verdict: Verdict,
    },
    /// A command line of a tool ended.
    Command {
        /// Quoted for a shell, secrets redacted.
        line: String,
        /// The exit code; none if a signal or the deadline ended it.
        code: Option<i32>,
        /// How long it took.
        took_ms: u64,
        /// The file with its complete output, relative to the run's directory.
        output: String,
    },
    /// A watch event from the cluster, shortened for the reader.
    Object {
        /// The namespace; empty for cluster-wide objects.
        namespace: String,
        /// `Pod/caesium-0`.
        object: String,
        /// `phase=Running ready=false restarts=1`, or an event's `reason: message`.
        state: String,
    },
    /// A fault was injected.
    Fault {
        /// The case that injected it.
        case: CaseName,
        /// The fault: `deleted Pod/caesium-1 with grace 0`.
        what: String,
        /// The replicas that it stops or cuts off until it is healed.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        apart: BTreeSet<String>,
    },
    /// A fault that lasts was undone.
    FaultHealed {
        /// The case that injected it.
        case: CaseName,
        /// The fault, as when it was injected.
        what: String,
    },
    /// A client operation ended; the histories contain the details.
    Operation {
        /// The case whose workload sent it.
        case: CaseName,
        /// The client.
        client: String,
        /// The operation.
        operation: OperationKind,
        /// The outcome.
        outcome: Outcome,
        /// How long it took.
        took_ms: u64,
    },
    /// A step of the smallest example of a loss that a case found, in order.
    Example {
        /// The case.
        case: CaseName,
        /// What happened: `w-17 written through caesium-0, acknowledged after 3 ms`.
        what: String,
        /// When it happened, in milliseconds since the start of the run.
        happened_ms: u64,
    },
    /// Evidence of a failed case was written.
    Evidence {
        /// The case.
        case: CaseName,
        /// The file or folder, relative to the run's directory.
        path: String,
    },
    /// A message that belongs to no case.
    Note {
        /// The message.
        text: String,
    },
    /// Something that was requested on the command line does not run.
    LeftOut {
        /// What does not run, and the flag that excluded it.
        what: String,
    },
    /// The run ended.
    RunEnded {
        /// How long it took.
        took_ms: u64,
        /// The exit code of the process.
        exit_code: i32,
    },
}

impl What {
    /// Returns the text from outside the harness, which may contain secrets. Command lines and verdicts are already redacted.
    fn unredacted(&mut self) -> Option<&mut String> {
        match self {
            Self::Waiting { state, .. } | Self::Object { state, .. } => Some(state),
            Self::Fault { what, .. } | Self::FaultHealed { what, .. } | Self::Example { what, .. } => Some(what),
            Self::Note { text } => Some(text),
            _ => None,
        }
    }
}

impl Event {
    /// Returns an event at `at` from the start of the run.
    pub fn new(at: Duration, what: What) -> Self {
        Self { at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX), what }
    }
}

/// The sender of the stream. Cheap to clone; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct Events {
    started: Instant,
    began: SystemTime,
    sender: mpsc::UnboundedSender<Event>,
}

impl Events {
    /// Returns a sender whose clock starts now, and its receiver, which closes when the last sender is dropped.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { started: Instant::now(), began: SystemTime::now(), sender }, receiver)
    }

    /// Sends one event with the current time, without secrets.
    pub fn send(&self, mut what: What) {
        if let Some(unredacted) = what.unredacted() {
            *unredacted = redact::text(unredacted);
        }
        // A missing receiver must not fail a case.
        drop(self.sender.send(Event::new(self.elapsed(), what)));
    }

    /// Sends a message that belongs to no case.
    pub fn note(&self, text: impl Into<String>) {
        self.send(What::Note { text: text.into() });
    }

    /// Returns the start of the run.
    pub fn began(&self) -> Instant {
        self.started
    }

    /// Returns the start of the run in milliseconds since 1970.
    pub fn began_unix_ms(&self) -> u64 {
        let since = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns the time since the start of the run, measured with its monotonic clock.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
