//! A kind of case: what the loader, the plan and the documentation need to know about it. Each case's file defines its own.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{CaseSpec, Suite, Topology, Workload, missing};

/// A kind of case. Kinds with the same name are equal.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate property, which a case's file sets or omits")]
pub struct CaseKind {
    /// The last part of a case's name, unless the suite sets another.
    pub name: &'static str,
    /// The property that must hold, for `docs/suite.md`.
    pub summary: &'static str,
    /// The kinds that must pass before it runs.
    pub needs: &'static [&'static CaseKind],
    /// The kinds that must pass as well, but may run at the same time.
    pub beside: &'static [&'static CaseKind],
    /// The first part of the name of a case that belongs to no topology: it always runs, and suites don't list it.
    pub group: Option<&'static str>,
    /// Whether it changes the release: if it fails, later cases of its topology don't run, because the release is in an
    /// unknown state.
    pub disturbs: bool,
    /// Whether it upgrades or rolls back the release under test.
    pub changes_release: bool,
    /// Whether a client in the cluster takes part.
    pub asks_inside: bool,
    /// How the release under test of its topology is installed.
    pub starts: Starts,
    /// Whether the topology's `never_below` applies while it runs.
    pub keeps_replicas: bool,
    /// Whether it cleans up: it runs even if earlier cases failed.
    pub cleans_up: bool,
    /// Whether it deletes what the kinds that it needs created: it runs even after an interrupt.
    pub tears_down: bool,
    /// The lowest number of replicas with which it proves something.
    pub fewest_replicas: u32,
    /// Whether `release` can name another release than the one under test.
    pub takes_release: bool,
    /// Whether it is about one workload, which `workload` can name.
    pub takes_workload: bool,
    /// Images that it needs in addition to the chart's.
    pub images: &'static [&'static str],
    /// Returns what the suite, or the workload that it is about, lacks for it to run.
    pub missing: fn(&Suite, Option<&Workload>) -> Option<&'static str>,
    /// Its parameters.
    pub parameters: Parameters,
    /// Returns an error if it can't be in this topology, or would prove nothing there.
    pub check: fn(&CaseSpec, &Topology, &Suite) -> Result<(), String>,
    /// Returns whether the disks of the topology's claims have to be able to fail.
    pub fails_disks: fn(&CaseSpec) -> bool,
    /// Returns what it deploys in addition to the suite's releases.
    pub deploys: fn(&CaseSpec) -> Vec<Deploys>,
}

impl CaseKind {
    /// The defaults of most kinds: a file sets only what differs.
    pub const DEFAULT: Self = Self {
        name: "",
        summary: "",
        needs: &[],
        beside: &[],
        group: None,
        disturbs: false,
        changes_release: false,
        asks_inside: false,
        starts: Starts::AsIs,
        keeps_replicas: true,
        cleans_up: false,
        tears_down: false,
        fewest_replicas: 1,
        takes_release: false,
        takes_workload: false,
        images: &[],
        missing: |_, _| None,
        parameters: Parameters::NONE,
        check: |_, _, _| Ok(()),
        fails_disks: |_| false,
        deploys: |case| vec![Deploys::of(case)],
    };

    /// The defaults of the kinds that disturb the release under load.
    pub const UNDER_LOAD: Self = Self { disturbs: true, asks_inside: true, ..Self::OF_WORKLOAD };

    /// The defaults of the kinds that are about one workload.
    pub const OF_WORKLOAD: Self = Self { takes_workload: true, missing: missing::workload, ..Self::DEFAULT };

    /// Returns the kinds that must pass before it. Instead of a kind that this suite can't list for the workload, such as
    /// `voters` without `[members]`, it needs the kinds that that one needs.
    pub fn needs_in(&self, suite: &Suite, workload: Option<&Workload>) -> Vec<&'static CaseKind> {
        let in_its_place = |need: &&'static CaseKind| match (need.missing)(suite, workload) {
            Some(_) => need.needs_in(suite, workload),
            None => vec![*need],
        };
        self.needs.iter().flat_map(in_its_place).collect()
    }

    /// Returns whether it runs once per topology.
    pub fn has_topology(&self) -> bool {
        self.group.is_none()
    }
}

impl fmt::Debug for CaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for CaseKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// How the release under test is installed in a topology that lists a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// As any other.
    AsIs,
    /// From the chart of `[upgrade.from]`.
    Earlier,
    /// By the other major version of helm.
    OtherHelm,
}

/// A kind's parameters: their check and their JSON schema.
pub struct Parameters {
    /// Returns an error if they are wrong.
    pub check: fn(&CaseSpec) -> Result<(), String>,
    /// The schema; none if there are no parameters.
    pub schema: Option<fn() -> Value>,
}

impl Parameters {
    /// No parameters.
    pub const NONE: Self = Self {
        check: |case| case.with.keys().next().map_or(Ok(()), |key| Err(format!("it has no parameter `{key}`"))),
        schema: None,
    };

    /// Returns the fields of a struct as parameters. Their doc comments become the descriptions in the schema.
    pub const fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self { check: |case| case.with::<T>().map(drop), schema: Some(schema::<T>) }
    }
}

/// A release that a case deploys, with the values that it adds to those of the suite.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deploys {
    /// Its key; none means the one under test.
    pub release: Option<String>,
    /// Values files, relative to its chart.
    pub values: Vec<PathBuf>,
    /// Values for `--set`, with `${namespace}` as a placeholder.
    pub set: Vec<String>,
}

impl Deploys {
    /// Returns the release that a case is about, with the case's parameters `values` and `set`.
    pub fn of(case: &CaseSpec) -> Self {
        Self { release: case.release.clone(), ..case.with().unwrap_or_default() }
    }
}

fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    schema
}

/// Removes what a suite file can't contain, and formats descriptions like the rest of the schema.
fn plain(schema: &mut Value) {
    let Value::Object(map) = schema else {
        return schema.as_array_mut().into_iter().flatten().for_each(plain);
    };
    map.retain(|key, value| value.is_object() || !["$schema", "title", "format", "default"].contains(&key.as_str()));
    if let Some(types) = map.get("type").and_then(Value::as_array) {
        let not_null = types.iter().find(|one| *one != "null").cloned();
        map.extend(not_null.map(|one| ("type".to_owned(), one)));
    }
    if let Some(text) = map.get("description").and_then(Value::as_str).map(fragment) {
        map.insert("description".to_owned(), text.into());
    }
    map.values_mut().for_each(plain);
}

/// Turns `The pod's port.` into `the pod's port`.
fn fragment(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.').replace('\n', " ");
    let mut letters = sentence.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), letters.as_str())
        }
        _ => sentence,
    }
}
