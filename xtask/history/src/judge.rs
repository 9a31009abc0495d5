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
}

/// Judges a history.
pub fn judge(history: &History) -> Judgement {
    let operations = &history.operations;
    let mut verdicts = match history.header.promise {
        Promise::Set => vec![("no acknowledged record lost", set::check(operations, false))],
        Promise::EventualSet => vec![("no acknowledged record lost", set::check(operations, true))],
        Promise::Register => vec![("linearizability", register::check(operations))],
        Promise::EventualRegister => Vec::new(),
    };
    verdicts.push(("monotonic reads", monotonic::check(operations)));
    verdicts.push(("final agreement", agreement::check(history)));
    verdicts.push(("nobody sent to a replica that is not ready", service::check(history)));
    verdicts.push(("enough at stake", vacuity::check(history)));
    Judgement { verdicts, availability: availability::measure(history) }
}
