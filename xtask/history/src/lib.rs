//! Histories of client operations around a fault, and the checkers that judge them.
//!
//! All functions are pure: they take a history and return verdicts. One file per property:
//! [`set`] for records that are created once, [`register`] for keys that are written again,
//! [`last_write`] for such keys if reads may be late, [`monotonic`], [`agreement`], [`service`], [`vacuity`] and
//! [`availability`]. [`judge()`] selects those that the history's promise requires, and [`failures`] describes the findings.
//! [`file`](mod@file) reads and writes the JSON lines documented in
//! `docs/history.md`.

pub mod agreement;
pub mod availability;
pub mod file;
pub mod judge;
pub mod last_write;
pub mod model;
pub mod monotonic;
pub mod register;
pub mod service;
pub mod set;
pub mod story;
pub mod vacuity;
mod words;

pub use judge::{Judgement, judge, judge_records};
pub use model::{Connection, Fault, Header, History, Operation, OperationKind, Outcome, Promise, Stage, Verdict};
pub use story::{example, failures};
