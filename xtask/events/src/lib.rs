//! The one stream of events of a run, and the bounds of what a run writes down.
//!
//! Cases send; reports only consume. This crate knows the types of events and when they happened. It must not know who
//! sends them, or what a report makes of them.

pub mod bounds;
pub mod log_file;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use history::{OperationKind, Outcome};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Name of a case: `caesium::r3::pod_kill_leader`, `cluster::create`.
pub type CaseName = String;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It was checked and holds.
    Passed {
        /// One line for the summary: figures, what was measured; may be empty.
        note: String,
    },
    /// It was checked and does not hold, or could not be checked.
    Failed {
        /// The first sentence is for a tired person; evidence follows on lines of its own.
        message: String,
    },
    /// It has no meaning on this cluster, and nothing was checked.
    NotApplicable {
        /// What would have to be there: `the cluster has one node, several are needed`.
        why: String,
    },
    /// It did not run because `blocked_by` failed.
    NotRun {
        /// The case that failed first.
        #[serde(alias = "culprit")]
        blocked_by: CaseName,
    },
}

/// One event; times are measured from the start of the run by one monotonic clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Since the start of the run.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum What {
    /// The run began: what is tested, on what.
    RunStarted {
        /// Names the run's directory and everything it creates.
        run_id: String,
        /// `kind`, `embedded` or `context:NAME`.
        cluster: String,
        /// The image under test, and whether it is the stand-in.
        image: String,
        /// All cases that were selected, in order.
        cases: Vec<CaseName>,
        /// When the clock of `at_ms` stood at zero, in milliseconds since 1970: places what other clocks say.
        #[serde(default)]
        began_unix_ms: u64,
        /// The command that asks for the same; `--exact CASE` behind it runs one case again.
        #[serde(default, alias = "again")]
        rerun_command: String,
    },
    /// Which of the cases were asked for; the others run because these need them.
    Selected {
        /// In order.
        cases: Vec<CaseName>,
    },
    /// The cluster went away, or its nodes can't become ready: the run ends, and what the cases say is not about the chart.
    ClusterLost {
        /// How that is known.
        why: String,
    },
    /// A case began.
    CaseStarted {
        /// Which.
        case: CaseName,
    },
    /// What a case is waiting for right now: `2/3 ready, caesium-2 pulling`.
    Waiting {
        /// Which case.
        case: CaseName,
        /// For what.
        state: String,
    },
    /// A case ended.
    CaseEnded {
        /// Which.
        case: CaseName,
        /// Its own time, without waiting for its turn.
        took_ms: u64,
        /// How.
        verdict: Verdict,
    },
    /// A command line of a tool ended.
    Command {
        /// Quoted as a shell takes it, secrets redacted.
        line: String,
        /// Exit code; none where a signal or the deadline ended it.
        code: Option<i32>,
        /// How long it took.
        took_ms: u64,
        /// The file with all of its output, relative to the run's directory.
        output: String,
    },
    /// A watch event of the cluster, shortened to what a reader needs.
    Object {
        /// Namespace, empty for cluster-wide objects.
        namespace: String,
        /// `Pod/caesium-0`.
        object: String,
        /// `phase=Running ready=false restarts=1`, or an event's `reason: message`.
        state: String,
    },
    /// A fault was injected.
    Fault {
        /// By which case.
        case: CaseName,
        /// What: `deleted Pod/caesium-1 with grace 0`.
        what: String,
    },
    /// A client's operation ended; the histories hold the rest.
    Operation {
        /// Which case's workload.
        case: CaseName,
        /// Which client.
        client: String,
        /// What was asked.
        operation: OperationKind,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        took_ms: u64,
    },
    /// Evidence of a failed case was written.
    Evidence {
        /// Which case.
        case: CaseName,
        /// File or folder, relative to the run's directory.
        path: String,
    },
    /// Something worth a line that belongs to no case.
    Note {
        /// The line.
        text: String,
    },
    /// Something that belongs to what was named on the command line does not run.
    LeftOut {
        /// What, and by which flag.
        what: String,
    },
    /// The run ended.
    RunEnded {
        /// How long it took.
        took_ms: u64,
        /// The process's exit code.
        exit_code: i32,
    },
}

impl What {
    /// What others said, in which a secret may stand. Command lines and verdicts come without.
    fn told(&mut self) -> Option<&mut String> {
        match self {
            Self::Waiting { state, .. } | Self::Object { state, .. } => Some(state),
            Self::Fault { what, .. } => Some(what),
            Self::Note { text } => Some(text),
            _ => None,
        }
    }
}

impl Event {
    /// An event at `at` from the start of the run.
    pub fn new(at: Duration, what: What) -> Self {
        Self { at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX), what }
    }
}

/// The sending end of the stream. Cheap to clone; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct Events {
    started: Instant,
    began: SystemTime,
    sender: mpsc::UnboundedSender<Event>,
}

impl Events {
    /// A stream whose clock starts now, and its receiving end, which closes when the last sender is dropped.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { started: Instant::now(), began: SystemTime::now(), sender }, receiver)
    }

    /// Sends one event with the time that it is now, without secrets.
    pub fn send(&self, mut what: What) {
        if let Some(told) = what.told() {
            *told = redact::text(told);
        }
        // Nobody listening is no reason for a case to fail.
        drop(self.sender.send(Event::new(self.elapsed(), what)));
    }

    /// Sends a line that belongs to no case.
    pub fn note(&self, text: impl Into<String>) {
        self.send(What::Note { text: text.into() });
    }

    /// When the run's clock stood at zero.
    pub fn began(&self) -> Instant {
        self.started
    }

    /// When the run's clock stood at zero, in milliseconds since 1970.
    pub fn began_unix_ms(&self) -> u64 {
        let since = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Since the start of the run, by the run's one monotonic clock.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
