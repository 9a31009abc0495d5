//! A kind of case: what the loader, the plan and the documentation have to know about it. Each case's own file says it.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{CaseSpec, Suite, Topology, missing};

/// A kind of case. Two with the same name are the same.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own, which a case's file states or leaves out"
)]
pub struct CaseKind {
    /// Last part of a case's name, unless the suite gives another.
    pub name: &'static str,
    /// What has to hold, for `docs/suite.md`.
    pub summary: &'static str,
    /// The kinds that must have passed before.
    pub needs: &'static [&'static CaseKind],
    /// The kinds that must pass, too, but beside which it runs.
    pub beside: &'static [&'static CaseKind],
    /// First part of the name of a case that belongs to no topology: it always runs, and no suite lists it.
    pub group: Option<&'static str>,
    /// Whether it changes the release: what comes after it in its topology does not run if it fails, since nobody knows
    /// in which state it left things.
    pub disturbs: bool,
    /// Whether a client in the cluster takes part.
    pub asks_inside: bool,
    /// Whether the topology's `never_below` holds while it runs.
    pub keeps_replicas: bool,
    /// Whether it cleans up: it runs whatever became of the cases before it.
    pub cleans_up: bool,
    /// Whether it takes away what the kinds that it needs made: it runs after an interrupt as well.
    pub tears_down: bool,
    /// With how many replicas it begins to prove something.
    pub fewest_replicas: u32,
    /// Whether `release` can name another release than the one under test.
    pub takes_release: bool,
    /// Images that it needs beside the chart's.
    pub images: &'static [&'static str],
    /// What the suite would have to say for it to run, and does not.
    pub missing: fn(&Suite) -> Option<&'static str>,
    /// Its parameters.
    pub parameters: Parameters,
    /// Why it can't stand in a topology, or would prove nothing there.
    pub check: fn(&CaseSpec, &Topology, &Suite) -> Result<(), String>,
    /// What it deploys beside what the suite does.
    pub deploys: fn(&CaseSpec) -> Vec<Deploys>,
}

impl CaseKind {
    /// What most kinds have in common: a file states only what differs.
    pub const DEFAULT: Self = Self {
        name: "",
        summary: "",
        needs: &[],
        beside: &[],
        group: None,
        disturbs: false,
        asks_inside: false,
        keeps_replicas: true,
        cleans_up: false,
        tears_down: false,
        fewest_replicas: 1,
        takes_release: false,
        images: &[],
        missing: |_| None,
        parameters: Parameters::NONE,
        check: |_, _, _| Ok(()),
        deploys: |case| vec![Deploys::of(case)],
    };

    /// What the kinds have in common that disturb the release while clients write and read.
    pub const UNDER_LOAD: Self = Self { disturbs: true, asks_inside: true, missing: missing::records, ..Self::DEFAULT };

    /// Whether it runs once per topology.
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

/// A kind's parameters: how they are checked, and their JSON schema.
pub struct Parameters {
    /// Why these are wrong.
    pub check: fn(&CaseSpec) -> Result<(), String>,
    /// The schema; none where there is no parameter.
    pub schema: Option<fn() -> Value>,
}

impl Parameters {
    /// No parameter.
    pub const NONE: Self = Self {
        check: |case| case.with.keys().next().map_or(Ok(()), |key| Err(format!("it has no parameter `{key}`"))),
        schema: None,
    };

    /// The fields of a struct. Their doc comments are the schema's descriptions.
    pub const fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self { check: |case| case.with::<T>().map(drop), schema: Some(schema::<T>) }
    }
}

/// A release that a case deploys: what it puts on top of the values that the suite gives it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deploys {
    /// Its key; none means the one under test.
    pub release: Option<String>,
    /// Values files, relative to its chart.
    pub values: Vec<PathBuf>,
    /// Values as `--set` takes them, with `${namespace}` to be filled in.
    pub set: Vec<String>,
}

impl Deploys {
    /// What a case's parameters `values` and `set` say of the release that it is about.
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

/// Leaves out what a suite file can't have, and writes descriptions as the rest of the schema does.
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

/// `The pod's port.` as `the pod's port`.
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
