//! `cargo xtask bench check`: measures how long it takes to judge 100,000 operations.

use std::process::ExitCode;

use anyhow::ensure;
use history::model::Minimum;
use history::{Fault, Header, History, Operation, OperationKind, Promise, Stage};

use super::{seconds, show};
use crate::cmd::ranges;
use console::exit::Exit;

/// The size of the history.
const OPERATIONS: u64 = 100_000;
/// The budget for the median.
const LIMIT_S: f64 = 1.0;
/// The time between the starts of two operations.
const APART_NS: u64 = 1_000_000;
const REPLICAS: u64 = 3;
/// The number of registers; each is written many times.
const REGISTERS: u64 = 100;

/// The flags of `cargo xtask bench check`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of measurements of each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = ranges::count())]
    runs: usize,
}

/// Runs `cargo xtask bench check`.
///
/// # Errors
/// If it takes too long, or a checker rejects this correct history.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    for (promise, what) in [(Promise::Set, "records"), (Promise::Register, "registers")] {
        let history = history(promise);
        let judged = async || {
            let judgement = history::judge(&history);
            ensure!(judgement.holds(), "{}", history::failures(&history, &judgement).join("\n"));
            Ok(())
        };
        let spread = seconds(args.runs, judged).await?;
        show(&format!("{OPERATIONS} operations on {what} judged"), &spread, "s");
        ensure!(spread.median < LIMIT_S, "the median is {:.2} s, over the budget of {LIMIT_S} s", spread.median);
    }
    Ok(Exit::Passed.into())
}

/// Returns a correct history: writes, each followed by a read through the same replica, a fault in the middle, and
/// everything read back through all replicas.
fn history(promise: Promise) -> History {
    let writes = OPERATIONS / (2 + REPLICAS);
    let is_set = promise == Promise::Set;
    let key = |number: u64| if is_set { format!("k{number}") } else { format!("k{}", number % REGISTERS) };
    let mut operations = Vec::new();
    for number in 0..writes {
        let at_ns = number * 2 * APART_NS;
        operations.push(operation(OperationKind::Write, key(number), number, at_ns, Stage::Workload));
        operations.push(operation(OperationKind::Read, key(number), number, at_ns + APART_NS, Stage::Workload));
    }
    let end_ns = writes * 2 * APART_NS;
    for number in 0..writes {
        // In the end a register holds its last value.
        let last = if is_set { number } else { writes - REGISTERS + number % REGISTERS };
        let value = last - if is_set { 0 } else { (last + REGISTERS - number % REGISTERS) % REGISTERS };
        for replica in 0..REPLICAS {
            let mut read = operation(OperationKind::Read, key(number), value, end_ns, Stage::ReadBack);
            read.replica = Some(format!("r{replica}"));
            read.client = format!("reader-{replica}");
            operations.push(read);
        }
    }
    let fault = Fault {
        recovered_ns: Some(end_ns / 2),
        evidence: Some("UID changed".to_owned()),
        ..Fault::new("delete Pod/r0", end_ns / 3)
    };
    let header = Header {
        format: history::file::FORMAT.to_owned(),
        case: "bench::check".to_owned(),
        promise,
        replicas: (0..REPLICAS).map(|ordinal| format!("r{ordinal}")).collect(),
        minimum: Minimum { before: 5, during: 5, after: 5 },
    };
    History { header, operations, faults: vec![fault] }
}

fn operation(kind: OperationKind, key: String, number: u64, at_ns: u64, stage: Stage) -> Operation {
    let (replica, value) = (Some(format!("r{}", number % REPLICAS)), Some(number.to_string()));
    let client = format!("c{}", number % 8);
    Operation { replica, stage, value, ..Operation::new(client, kind, key, (at_ns, at_ns + APART_NS / 2)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_has_the_size_and_is_correct() {
        for promise in [Promise::Set, Promise::Register] {
            let history = history(promise);
            assert_eq!(history.operations.len() as u64, OPERATIONS);
            assert_eq!(history::failures(&history, &history::judge(&history)), Vec::<String>::new());
        }
    }
}
