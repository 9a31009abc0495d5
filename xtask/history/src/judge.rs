//! Runs all checkers that a history's promise requires, the most important first.

use serde::Serialize;

use crate::availability::{self, Availability};
use crate::model::{History, Promise, Verdict};
use crate::{agreement, last_write, monotonic, register, service, set, vacuity};

/// The result for a history.
#[derive(Debug, Clone, Serialize)]
pub struct Judgement {
    /// The properties and their verdicts.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// The measurements for each fault.
    pub availability: Vec<Availability>,
}

impl Judgement {
    /// Returns whether every property holds. An undecided property doesn't.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Holds)
    }

    /// Returns whether this property holds.
    pub fn has(&self, property: &str) -> bool {
        self.verdicts.iter().any(|(name, verdict)| *name == property && *verdict == Verdict::Holds)
    }
}

/// Judges the application's promises about its records, whether or not a fault was injected.
pub fn judge_records(history: &History) -> Judgement {
    Judgement { verdicts: records(history), availability: Vec::new() }
}

/// Judges a history.
pub fn judge(history: &History) -> Judgement {
    let mut verdicts = records(history);
    verdicts.push(("no traffic to unready replicas", service::check(history)));
    verdicts.push(("enough activity", vacuity::check(history)));
    Judgement { verdicts, availability: availability::measure(history) }
}

fn records(history: &History) -> Vec<(&'static str, Verdict)> {
    if history.header.promise == Promise::None {
        return Vec::new();
    }
    vec![
        kept(history),
        ("monotonic reads", monotonic::check(&history.operations)),
        ("final agreement", agreement::check(history)),
    ]
}

/// Returns the property that is the promise itself, and its verdict.
pub fn kept(history: &History) -> (&'static str, Verdict) {
    let operations = &history.operations;
    match history.header.promise {
        Promise::Set => ("no acknowledged record lost", set::check(operations, false)),
        Promise::EventualSet => ("no acknowledged record lost", set::check(operations, true)),
        Promise::Register => ("linearizability", register::check(operations)),
        Promise::EventualRegister => ("no acknowledged write lost", last_write::check(history)),
        Promise::None => ("nothing promised", Verdict::Holds),
    }
}
