//! All checkers that a history's promise asks for, in the order in which a person wants to read them.

use serde::Serialize;

use crate::availability::{self, Availability};
use crate::model::{History, Promise, Verdict};
use crate::{agreement, monotonic, register, service, set, vacuity};

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

    /// The properties that do not hold, a line each; empty where all do.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Holds);
        failed.map(|(property, verdict)| format!("{property} {verdict}")).collect()
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
    let operations = &history.operations;
    let mut verdicts = match history.header.promise {
        Promise::Set => vec![("no acknowledged record lost", set::check(operations, false))],
        Promise::EventualSet => vec![("no acknowledged record lost", set::check(operations, true))],
        Promise::Register => vec![("linearizability", register::check(operations))],
        Promise::EventualRegister => Vec::new(),
    };
    verdicts.push(("monotonic reads", monotonic::check(operations)));
    verdicts.push(("final agreement", agreement::check(history)));
    verdicts
}
