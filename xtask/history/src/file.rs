//! Histories as JSON lines: a header, then operations and faults in any order (`docs/history.md`).

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::model::{Fault, Header, History, Operation, OperationKind};

/// The format and its version, as in the header.
pub const FORMAT: &str = "chartproof.history/1";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header(Header),
    Operation(Operation),
    Fault(Fault),
}

/// Reads a history.
///
/// # Errors
/// The number of the first bad line, and what is wrong with it.
pub fn read(input: impl BufRead) -> Result<History> {
    let mut history = None;
    let mut last_number = 0;
    for (number, line) in (1..).zip(input.lines()) {
        last_number = number;
        let line = line.with_context(|| format!("line {number}: can't be read"))?;
        add(&mut history, &line).with_context(|| format!("line {number}"))?;
    }
    history.with_context(|| format!("line {}: a history begins with its header", last_number + 1))
}

fn add(history: &mut Option<History>, line: &str) -> Result<()> {
    let line: Line = serde_json::from_str(line).context("neither a header, an operation nor a fault")?;
    match (line, history) {
        (Line::Header(header), slot @ None) => {
            ensure!(header.format == FORMAT, "format {:?} is not {FORMAT:?}", header.format);
            *slot = Some(History { header, operations: Vec::new(), faults: Vec::new() });
        }
        (Line::Header(_), Some(_)) => bail!("a second header"),
        (_, None) => bail!("a history begins with its header"),
        (Line::Operation(operation), Some(history)) => history.operations.push(checked(operation)?),
        (Line::Fault(fault), Some(history)) => history.faults.push(fault),
    }
    Ok(())
}

fn checked(operation: Operation) -> Result<Operation> {
    ensure!(operation.start_ns <= operation.end_ns, "the operation ends before it starts");
    ensure!(operation.kind != OperationKind::Write || operation.value.is_some(), "a write needs a value");
    Ok(operation)
}

/// Writes a history.
///
/// # Errors
/// If the writer fails.
pub fn write(history: &History, mut output: impl Write) -> Result<()> {
    let faults = history.faults.iter().cloned().map(Line::Fault);
    let operations = history.operations.iter().cloned().map(Line::Operation);
    for line in [Line::Header(history.header.clone())].into_iter().chain(faults).chain(operations) {
        serde_json::to_writer(&mut output, &line)?;
        writeln!(output)?;
    }
    Ok(())
}
