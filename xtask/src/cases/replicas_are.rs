//! `replicas_are`: each workload of a release has the expected number of replicas, all ready, and no deployed object
//! contains a placeholder.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::differences::differences;
use super::support::rolled_out;
use suite::{CaseKind, Parameters, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "replicas_are",
        summary: "each workload has this number of replicas, and no deployed object contains the placeholder",
        needs: &[&install::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Number of replicas of each workload, by name.
    #[schemars(schema_with = "replicas")]
    replicas: BTreeMap<String, i32>,
    /// Text that marks a placeholder.
    #[serde(default)]
    #[schemars(schema_with = "definitions::words")]
    placeholder: Option<String>,
}

fn replicas(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 100,
        "propertyNames": { "$ref": "#/$defs/object" },
        "additionalProperties": { "type": "integer", "minimum": 0, "maximum": 1000, "description": "replicas" },
    })
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    rolled_out::rolled_out(cx, deployed_release).await?;
    let state = deployed_release.watch.state();
    let found = deployed_release.workloads().into_iter().map(|(kind, name)| {
        let rollout = state.rollout(kind, name).with_context(|| format!("{kind}/{name} does not exist"))?;
        Ok((name.to_owned(), rollout.wanted))
    });
    let found: BTreeMap<_, _> = found.collect::<anyhow::Result<_>>()?;
    ensure!(!found.is_empty(), "release {} has no workload", deployed_release.release.key());
    ensure!(
        found == with.replicas,
        "release {} has other replicas than expected: {}",
        deployed_release.release.key(),
        differences(&found, &with.replicas)
    );
    if let Some(mark) = &with.placeholder
        && let Some(object) = deployed_release.objects.iter().find(|object| object.to_string().contains(mark))
    {
        let text = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
        bail!("{}/{} still contains the placeholder {mark}", text("/kind"), text("/metadata/name"));
    }
    Ok(format!("{} workloads, {} replicas", found.len(), found.values().sum::<i32>()))
}
