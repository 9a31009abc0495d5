//! The rows of rows.yaml, and when each state is final according to the documentation.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::since::Since;

/// A state and its twin.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name of the state in the table.
    pub state: String,
    /// The row's own name, if the state has several rows.
    name: Option<String>,
    /// How a cluster gets into the state.
    pub red: Scene,
    /// A scenario that begins the same and recovers.
    pub twin: Option<Scene>,
    /// How long the state lasts before it is final.
    #[serde(skip)]
    pub final_after: Duration,
}

/// What happens in a namespace.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Labels of the namespace.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// An action before anything is created.
    pub first: Option<Deed>,
    /// Whether helm creates the objects.
    #[serde(default)]
    pub chart: bool,
    /// The created objects.
    pub objects: Vec<Value>,
    /// When the state begins.
    pub since: Option<Since>,
    /// The message that ends the wait.
    pub told: Option<String>,
    /// What makes it recover.
    #[serde(default)]
    pub then: Vec<Then>,
}

/// An action that follows an observation.
#[derive(Clone, Deserialize)]
pub struct Then {
    /// The observation.
    pub when: Since,
    /// The delay after it.
    #[serde(default)]
    pub after_s: u64,
    /// The action.
    #[serde(flatten)]
    pub deed: Deed,
}

/// An action.
#[derive(Clone, Deserialize)]
pub struct Deed {
    /// Loads the image.
    #[serde(default)]
    pub load: bool,
    /// Creates objects.
    #[serde(default)]
    pub make: Vec<Value>,
    /// Changes an object.
    pub patch: Option<Value>,
    /// Deletes an object.
    pub delete: Option<Value>,
}

impl Row {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.state)
    }
}

/// Returns all rows.
pub fn read() -> Vec<Row> {
    let mut rows: Vec<Row> = serde_saphyr::from_str(include_str!("rows.yaml")).unwrap();
    let table = table();
    for row in &mut rows {
        row.final_after = table.get(row.state.as_str()).copied().unwrap_or_default();
    }
    rows
}

/// Checks that every documented state has a row with a twin, and that no row is of another state.
pub fn are_complete(rows: &[Row]) -> Result<(), String> {
    let table = table();
    let with_twin = |state: &str| rows.iter().any(|row| row.state == state && row.twin.is_some());
    let lacking: Vec<_> = table.keys().copied().filter(|state| !with_twin(state)).collect();
    let unknown: Vec<_> =
        rows.iter().map(|row| &row.state).filter(|state| !table.contains_key(state.as_str())).collect();
    if lacking.is_empty() && unknown.is_empty() && !table.is_empty() {
        return Ok(());
    }
    Err(format!("states without a row and a twin: {lacking:?}; rows of unknown states: {unknown:?}"))
}

/// Returns when each state is final, from the table in docs/diagnosing.md; a unit test of the harness compares that
/// with the code.
fn table() -> BTreeMap<&'static str, Duration> {
    let page = include_str!("../../docs/diagnosing.md");
    let lines = page.lines().skip_while(|line| !line.starts_with("| state |")).skip(2);
    let cells = |line: &'static str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let after = cells[4].strip_suffix(" s").map_or(Duration::ZERO, |s| Duration::from_secs(s.parse().unwrap()));
        (cells[1], after)
    };
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}
