//! All checkers that a history's promise asks for, in the order in which a person wants to read them.

use serde::Serialize;

use crate::availability::{self, Availability};
use crate::model::{History, Promise, Verdict};
use crate::{agreement, last_write, monotonic, register, service, set, vacuity};

/// What came of a history.
#[derive(Debug, Clone, Serialize)]
pub struct Judgement {
    /// Property and verdict.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// The figures of each fault.
    pub availability: Vec<Availability>,
}

impl Judgement {
    /// Whether every property holds. Undecided is no.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Holds)
    }

    /// Whether this property holds.
    pub fn has(&self, property: &str) -> bool {
        self.verdicts.iter().any(|(name, verdict)| *name == property && *verdict == Verdict::Holds)
    }
}

/// Judges what the application promises of its records, whether or not a fault was injected meanwhile.
pub fn judge_records(history: &History) -> Judgement {
    Judgement { verdicts: records(history), availability: Vec::new() }
}

/// Judges a history.
pub fn judge(history: &History) -> Judgement {
    let mut verdicts = records(history);
    verdicts.push(("nobody sent to a replica that is not ready", service::check(history)));
    verdicts.push(("enough at stake", vacuity::check(history)));
    Judgement { verdicts, availability: availability::measure(history) }
}

fn records(history: &History) -> Vec<(&'static str, Verdict)> {
    vec![
        kept(history),
        ("monotonic reads", monotonic::check(&history.operations)),
        ("final agreement", agreement::check(history)),
    ]
}

/// The property that is the promise itself, and whether it holds.
pub fn kept(history: &History) -> (&'static str, Verdict) {
    let operations = &history.operations;
    match history.header.promise {
        Promise::Set => ("no acknowledged record lost", set::check(operations, false)),
        Promise::EventualSet => ("no acknowledged record lost", set::check(operations, true)),
        Promise::Register => ("linearizability", register::check(operations)),
        Promise::EventualRegister => ("no acknowledged write lost", last_write::check(history)),
    }
}
