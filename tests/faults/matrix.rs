//! The rows of `matrix.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// How much longer than its row's limit a case may take. A dozen rows share two cores, and each of them is starved now
/// and then: an install that takes a third of a second alone once took 26 s.
pub const STARVED_S: u64 = 45;

/// How much of a message a reader sees at first.
pub const FIRST: usize = 100;

/// All rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// In the order of the documentation.
    #[serde(rename = "row")]
    pub rows: Vec<Row>,
}

/// One fault, and who has to notice it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The test's name.
    pub name: String,
    /// A description of the fault.
    pub fault: String,
    /// The folder of the suite below `helm/`, or below `tests/` for an application from Debian's packages.
    #[serde(default = "caesium")]
    pub suite: String,
    /// The cases to run, by their full names; their dependencies run as well.
    #[serde(default)]
    pub cases: Vec<String>,
    /// The cases that have to fail; all others that run must pass. Empty if the fault is survived.
    #[serde(default)]
    pub red: Vec<String>,
    /// What the failed cases' messages have to contain.
    #[serde(default)]
    pub words: Vec<String>,
    /// What the first [`FIRST`] characters of the first failed case's message have to contain: the cause. A summary and a
    /// notification show no more.
    #[serde(default)]
    pub first: Vec<String>,
    /// Several independent faults that share the run: each has a line of its own in the table.
    #[serde(default)]
    pub faults: Vec<Planted>,
    /// The longest duration of a failed case: about twice what an idle machine takes. [`STARVED_S`] is added.
    pub within_s: Option<u64>,
    /// The process's exit code if it is neither 0 nor libtest's.
    pub exit: Option<i32>,
    /// Switches of the stand-in, as `STANDIN_FAULT` takes them.
    pub stand_in: Option<String>,
    /// Values, as helm's `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    /// Whether the run uses an existing cluster: an embedded one, by its context.
    #[serde(default)]
    pub existing: bool,
    /// Faults of the embedded cluster, as `CHARTPROOF_EMBEDDED_FAULTS` takes them.
    #[serde(default)]
    pub embedded: Vec<toml::Table>,
    /// Rules of the fakes of kind and docker, before those of a run without faults; the row runs on kind.
    #[serde(default)]
    pub kind: Vec<toml::Table>,
    /// The cluster, as `--cluster` takes it; overrides what follows from the other keys.
    pub cluster: Option<String>,
    /// Variables of the run's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Changes to a copy of the charts.
    #[serde(default)]
    pub patch: Vec<Patch>,
    /// A draft of `cargo xtask init` that replaces the suite's tables of the same names before the changes.
    pub draft: Option<String>,
    /// Changes to a copy of the suite's folder, `../earlier`: a chart to upgrade from.
    #[serde(default)]
    pub earlier: Vec<Patch>,
    /// Additional flags of `cargo xtask e2e`.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// One of several faults of a row.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// Its name in the table.
    pub name: String,
    /// A description of the fault.
    pub fault: String,
    /// The case that has to fail.
    pub red: String,
    /// What its message has to contain.
    pub words: Vec<String>,
    /// What the description of its namespace in the evidence has to contain.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// A change to one file of the suite's copy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The file, relative to the suite's folder.
    pub file: PathBuf,
    /// Text that must occur in it at least once; absent for a new file.
    pub from: Option<String>,
    /// Its replacement.
    pub to: String,
}

impl Row {
    /// Returns the cases to run.
    pub fn asked(&self) -> impl Iterator<Item = &String> {
        self.cases.iter().chain(self.faults.iter().map(|fault| &fault.red))
    }

    /// Returns the cases that have to fail.
    pub fn red(&self) -> impl Iterator<Item = &String> {
        self.red.iter().chain(self.faults.iter().map(|fault| &fault.red))
    }

    /// Returns the names of its lines in the table.
    pub fn lines(&self) -> Vec<&str> {
        if self.faults.is_empty() {
            return vec![&self.name];
        }
        self.faults.iter().map(|fault| fault.name.as_str()).collect()
    }
}

fn caesium() -> String {
    "caesium".to_owned()
}

/// Reads the matrix.
pub fn read() -> Matrix {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/faults/matrix.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
