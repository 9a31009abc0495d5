//! The rows as rows.yaml has them, and when each is final, as the documentation has it.

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
    /// Its own name, where the state has several rows.
    name: Option<String>,
    /// How a cluster gets into it.
    pub red: Scene,
    /// What begins alike.
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
    /// What is done before anything is made.
    pub first: Option<Deed>,
    /// Whether helm makes the objects.
    #[serde(default)]
    pub chart: bool,
    /// What is made.
    pub objects: Vec<Value>,
    /// When the state begins.
    pub since: Option<Since>,
    /// The sentence that ends the wait.
    pub told: Option<String>,
    /// What makes it recover.
    #[serde(default)]
    pub then: Vec<Then>,
}

/// Something that is done once the cluster tells something.
#[derive(Clone, Deserialize)]
pub struct Then {
    /// Told by the cluster.
    pub when: Since,
    /// And so long after it.
    #[serde(default)]
    pub after_s: u64,
    /// What is done.
    #[serde(flatten)]
    pub deed: Deed,
}

/// What is done.
#[derive(Clone, Deserialize)]
pub struct Deed {
    /// Loads the image.
    #[serde(default)]
    pub load: bool,
    /// Makes objects.
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

/// All rows.
pub fn read() -> Vec<Row> {
    let mut rows: Vec<Row> = serde_saphyr::from_str(include_str!("rows.yaml")).unwrap();
    let table = table();
    for row in &mut rows {
        row.final_after = table.get(row.state.as_str()).copied().unwrap_or_default();
    }
    rows
}

/// Every state that users are told of has a row with a twin, and no row is of another state.
pub fn are_complete(rows: &[Row]) -> Result<(), String> {
    let table = table();
    let with_twin = |state: &str| rows.iter().any(|row| row.state == state && row.twin.is_some());
    let lacking: Vec<_> = table.keys().copied().filter(|state| !with_twin(state)).collect();
    let unknown: Vec<_> =
        rows.iter().map(|row| &row.state).filter(|state| !table.contains_key(state.as_str())).collect();
    if lacking.is_empty() && unknown.is_empty() && !table.is_empty() {
        return Ok(());
    }
    Err(format!("states without a row and a twin: {lacking:?}; rows of no state: {unknown:?}"))
}

/// When each state is final, by the table in docs/diagnosing.md; a unit test of the harness holds it to the code.
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
