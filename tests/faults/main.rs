//! The fault matrix: one fault a row of `matrix.toml`, the real binary on the embedded cluster, and
//! exactly the cases that the row names go red, in the words that it asks for.
//!
//! `UPDATE_DOCS=1 cargo test --test faults` writes what was measured into docs/faults.md.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod beside;
#[path = "../kind_doubles/doubles.rs"]
#[allow(dead_code, reason = "shared with the tests of kind, which ask the doubles more")]
mod doubles;
mod matrix;
mod run;
mod table;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};
use matrix::{Matrix, Row};
use table::Detection;

/// Rows mostly wait; more would take the cores from their own time limits.
const ROWS_AT_ONCE: usize = 9;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(ROWS_AT_ONCE);
    let matrix = matrix::read();
    let detections = Arc::new(Mutex::new(Vec::new()));
    // Those of several releases take the longest: what begins first does not trail behind.
    let (short, long): (Vec<_>, Vec<_>) = matrix.rows.iter().partition(|row| row.suite == "caesium");
    let mut trials: Vec<_> = long.into_iter().chain(short).map(|row| trial(row, &detections)).collect();
    trials.push(documented(&matrix));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list && std::env::var_os("UPDATE_DOCS").is_some() {
        table::write(&matrix, &detections.lock().unwrap());
    }
    conclusion.exit_code()
}

fn trial(row: &Row, detections: &Arc<Mutex<Vec<Detection>>>) -> Trial {
    let (row, detections) = (row.clone(), Arc::clone(detections));
    Trial::test(row.name.clone(), move || {
        let found = run::prove(&row)?;
        detections.lock().unwrap().extend(found);
        Ok(())
    })
}

/// The table in the documentation names the rows that there are; `UPDATE_DOCS=1` is about to.
fn documented(matrix: &Matrix) -> Trial {
    let expected: Vec<String> = matrix.rows.iter().flat_map(Row::lines).map(ToOwned::to_owned).collect();
    Trial::test("the_documentation_names_every_row", move || {
        let known = table::rows_documented();
        let updating = std::env::var_os("UPDATE_DOCS").is_some();
        if updating || known == expected {
            return Ok(());
        }
        Err("docs/faults.md is stale: run UPDATE_DOCS=1 cargo test --test faults".into())
    })
}
