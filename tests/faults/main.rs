//! The fault matrix: one fault for each row of `matrix.toml`, the real binary on the embedded cluster, and exactly the
//! cases that the row names fail, with the words that it expects.
//!
//! `UPDATE_DOCS=1 cargo test --test faults` writes the measurements into docs/faults.md.
//!
//! The unrecoverable states (`tests/unrecoverable`) are tested at the same time: they only wait, and would take another
//! minute and a half on their own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

mod beside;
#[path = "../command.rs"]
mod command;
#[path = "../kind_doubles/doubles.rs"]
#[allow(dead_code, reason = "shared with the tests of kind, which use more of the fakes")]
mod doubles;
mod matrix;
#[path = "../node_program.rs"]
mod node_program;
#[path = "../package.rs"]
mod package;
mod packaged;
mod run;
mod table;
#[path = "../unrecoverable/mod.rs"]
mod unrecoverable;

use std::cmp::Reverse;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex};

use libtest_mimic::{Arguments, Trial};
use matrix::{Matrix, Row};
use packaged::Images;
use table::Detection;

/// Rows mostly wait; more at once would slow each other down beyond their time limits.
const ROWS_AT_ONCE: usize = 12;

/// Rows that may take this long start before others, as do those of several releases.
const LONG_S: u64 = 60;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let (matrix, states) = (matrix::read(), unrecoverable::Stand::new());
    let detections = Arc::new(Mutex::new(Vec::new()));
    let mut trials = states.trials();
    arguments.test_threads.get_or_insert(ROWS_AT_ONCE + trials.len());
    // The longest rows start first, so that none of them runs alone at the end.
    let mut rows: Vec<_> = matrix.rows.iter().collect();
    rows.sort_by_key(|row| (row.suite == "caesium" && row.within_s < Some(LONG_S), Reverse(row.within_s)));
    let (seats, images) = (Seats::default(), Images::default());
    trials.extend(rows.into_iter().map(|row| trial(row, &detections, &seats, &images)));
    trials.push(documented(&matrix));
    let conclusion = libtest_mimic::run(&arguments, trials);
    states.stop();
    if !arguments.list && std::env::var_os("UPDATE_DOCS").is_some() {
        table::write(&matrix, &detections.lock().unwrap());
    }
    conclusion.exit_code()
}

/// Limits how many rows run at once.
#[derive(Clone, Default)]
struct Seats(Arc<(Mutex<usize>, Condvar)>);

impl Seats {
    /// Runs a closure as soon as there is room for it.
    fn sit<T>(&self, doing: impl FnOnce() -> T) -> T {
        let (taken, left) = &*self.0;
        *left.wait_while(taken.lock().unwrap(), |taken| *taken >= ROWS_AT_ONCE).unwrap() += 1;
        let done = doing();
        *taken.lock().unwrap() -= 1;
        left.notify_one();
        done
    }
}

fn trial(row: &Row, detections: &Arc<Mutex<Vec<Detection>>>, seats: &Seats, images: &Images) -> Trial {
    let (row, detections, seats, images) = (row.clone(), Arc::clone(detections), seats.clone(), images.clone());
    let ignored = packaged::missing(&row).is_some();
    Trial::test(row.name.clone(), move || {
        let found = seats.sit(|| run::prove(&row, &images))?;
        detections.lock().unwrap().extend(found);
        Ok(())
    })
    .with_ignored_flag(ignored)
}

/// Checks that the table in the documentation has exactly these rows, unless `UPDATE_DOCS=1` is about to write it.
fn documented(matrix: &Matrix) -> Trial {
    let expected: Vec<String> = matrix.rows.iter().flat_map(Row::lines).map(ToOwned::to_owned).collect();
    Trial::test("the_documentation_names_every_row", move || {
        let known = table::rows_documented();
        let updating = std::env::var_os("UPDATE_DOCS").is_some();
        if updating || known == expected {
            return Ok(());
        }
        Err("docs/faults.md is stale; run UPDATE_DOCS=1 cargo test --test faults".into())
    })
}
