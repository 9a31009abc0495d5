//! The rows of `matrix.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What a case may take longer than its row says. A dozen rows share two cores, and each of them stands still for a while
/// now and then: an install that takes a third of a second alone was seen to take 26 s.
pub const STARVED_S: u64 = 45;

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
    /// Names the test.
    pub name: String,
    /// What is wrong, for a person.
    pub fault: String,
    /// The folder of the suite below `helm/`.
    #[serde(default = "caesium")]
    pub suite: String,
    /// The cases to run, by their whole names; what they need runs as well.
    #[serde(default)]
    pub cases: Vec<String>,
    /// The cases that have to go red; all others that run stay green. Empty: the fault is survived.
    #[serde(default)]
    pub red: Vec<String>,
    /// What the red cases' messages have to say.
    #[serde(default)]
    pub words: Vec<String>,
    /// Several faults that share the run, since neither disturbs the other: each has a line of its own in the table.
    #[serde(default)]
    pub faults: Vec<Planted>,
    /// From the start of a red case to its end, at most: about twice what an idle machine takes. [`STARVED_S`] come on top.
    pub within_s: Option<u64>,
    /// The process's exit code where it is neither 0 nor libtest's.
    pub exit: Option<i32>,
    /// Switches of the stand-in, as `STANDIN_FAULT` takes them.
    pub stand_in: Option<String>,
    /// Values, as helm's `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    /// Whether the cluster was there before the run: an embedded one, by its context.
    #[serde(default)]
    pub existing: bool,
    /// Faults of the embedded cluster, as `CHARTPROOF_EMBEDDED_FAULTS` takes them.
    #[serde(default)]
    pub embedded: Vec<toml::Table>,
    /// Rules of kind's and docker's doubles, before those of a run in which all goes well: the row runs on kind.
    #[serde(default)]
    pub kind: Vec<toml::Table>,
    /// The cluster, as `--cluster` takes it, instead of what the other keys lead to.
    pub cluster: Option<String>,
    /// Variables of the run's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Changes to a copy of the charts.
    #[serde(default)]
    pub patch: Vec<Patch>,
    /// Further flags of `cargo xtask e2e`.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// One of several faults of a row.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// Names it in the table.
    pub name: String,
    /// What is wrong, for a person.
    pub fault: String,
    /// The case that has to go red.
    pub red: String,
    /// What its message has to say.
    pub words: Vec<String>,
    /// What the description of its namespace, which is kept as evidence, has to name.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// A change to one file of the suite's copy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The file, relative to the suite's folder.
    pub file: PathBuf,
    /// Text that must stand in it once or more; absent for a new file.
    pub from: Option<String>,
    /// What stands there instead.
    pub to: String,
}

impl Row {
    /// The cases to run.
    pub fn asked(&self) -> impl Iterator<Item = &String> {
        self.cases.iter().chain(self.faults.iter().map(|fault| &fault.red))
    }

    /// The cases that have to go red.
    pub fn red(&self) -> impl Iterator<Item = &String> {
        self.red.iter().chain(self.faults.iter().map(|fault| &fault.red))
    }

    /// The names of its lines in the table.
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
