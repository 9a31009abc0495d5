//! `cargo xtask bench check`: how long 100,000 operations take to be judged.

use std::process::ExitCode;

use anyhow::ensure;
use history::model::Minimum;
use history::{Fault, Header, History, Operation, OperationKind, Promise, Stage};

use super::{seconds, show};
use crate::cmd::ranges;
use console::exit::Exit;

/// The size that has to be judged in time.
const OPERATIONS: u64 = 100_000;
/// The most that the middle one of several measurements may take.
const LIMIT_S: f64 = 1.0;
/// Distance of two operations of the history.
const APART_NS: u64 = 1_000_000;
const REPLICAS: u64 = 3;
/// Keys of registers, each written again and again.
const REGISTERS: u64 = 100;

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = ranges::count())]
    runs: usize,
}

/// Runs it.
///
/// # Errors
/// Where it takes too long, or a history that has nothing wrong with it does not hold.
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
        ensure!(spread.median < LIMIT_S, "the median is {:.2} s, {LIMIT_S} s are the limit", spread.median);
    }
    Ok(Exit::Passed.into())
}

/// Writes, each read once through another replica, a fault in the middle, everything read back through all: all well.
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
        // A register holds its last value in the end.
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
        what: "delete Pod/r0".to_owned(),
        start_ns: end_ns / 3,
        recovered_ns: Some(end_ns / 2),
        new_leader_ns: None,
        evidence: Some("UID changed".to_owned()),
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
    fn what_is_judged_is_as_large_as_it_says_and_holds() {
        for promise in [Promise::Set, Promise::Register] {
            let history = history(promise);
            assert_eq!(history.operations.len() as u64, OPERATIONS);
            assert_eq!(history::failures(&history, &history::judge(&history)), Vec::<String>::new());
        }
    }
}
