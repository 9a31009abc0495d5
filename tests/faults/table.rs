//! The detection table in docs/faults.md.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::matrix::{Matrix, Row};

/// What each fault does.
const FAULTS: &str = include_str!("faults.md");

const HEAD: &str = "\
## Planted faults and the cases that detect them

Each row is a fault that a test plants, and the case that must detect it. A row without a failed case is a twin: the
same fault, from which the application recovers, and no case may fail. Faults that don't disturb each other may share a
run; each has a row of its own.

`UPDATE_DOCS=1 cargo test --test faults` writes this page from `tests/faults/matrix.toml`. Seconds count from the start
of the case to its failure, in one run on two cores with twelve rows side by side.

| row | what is wrong | failed case | seconds | message |
|---|---|---|---|---|
";

/// The measurements of one row.
pub struct Detection {
    /// The name of the row, or of one of its faults.
    pub name: String,
    /// The duration of the first failed case; empty if none failed.
    pub seconds: String,
    /// The first sentence of its message.
    pub sentence: String,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md")
}

/// Returns the names in the current table.
pub fn rows_documented() -> Vec<String> {
    let text = std::fs::read_to_string(file()).unwrap_or_default();
    // The page begins with another table.
    let rows = text.lines().skip_while(|line| !line.starts_with("| row |"));
    rows.filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect()
}

/// Writes the table: the new measurements, and the current lines of all other rows.
pub fn write(matrix: &Matrix, detections: &[Detection]) {
    let mut text = [FAULTS, HEAD].concat();
    let before = std::fs::read_to_string(file()).unwrap_or_default();
    for (name, fault, red) in matrix.rows.iter().flat_map(lines) {
        let Some(detection) = detections.iter().find(|d| d.name == name) else {
            // Measured at another time.
            let old = before.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            text.extend(old.map(|line| format!("{line}\n")));
            continue;
        };
        let sentence = escape(&detection.sentence);
        writeln!(text, "| `{name}` | {fault} | {red} | {} | {sentence} |", detection.seconds).unwrap();
    }
    std::fs::write(file(), text).unwrap();
}

/// Returns name, fault and failed cases of each of a row's lines.
fn lines(row: &Row) -> Vec<(&str, &str, String)> {
    if row.faults.is_empty() {
        return vec![(&row.name, &row.fault, red(row))];
    }
    row.faults.iter().map(|one| (one.name.as_str(), one.fault.as_str(), format!("`{}`", one.red))).collect()
}

fn red(row: &Row) -> String {
    match (row.red.as_slice(), row.exit) {
        ([], Some(code)) => format!("none: exit {code}"),
        ([], None) => "none".to_owned(),
        (cases, _) => cases.iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Removes folders, which differ from machine to machine, and escapes bars, which would end the column.
fn escape(sentence: &str) -> String {
    let words: Vec<_> = sentence.split(' ').map(without_folder).collect();
    let short: String = words.join(" ").chars().take(220).collect();
    short.replace('|', "\\|")
}

/// Returns `helm` for `/a/b/helm`.
fn without_folder(word: &str) -> &str {
    let is_path = word.trim_start_matches('`').starts_with('/');
    if is_path { word.rsplit('/').next().unwrap_or(word) } else { word }
}
