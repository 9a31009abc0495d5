//! `each_alone`: the chart becomes ready with each of its parts as the only one enabled. With none enabled, it
//! installs and runs nothing.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use super::support::rolled_out;
use crate::deployed_release::DeployedRelease;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "each_alone",
        summary: "the chart becomes ready with each of its parts as the only one enabled, and installs with none \
                  enabled",
        needs: &[&install::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        check: needs_other_parts,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// The parts: the value that enables each of them, and the other parts that it needs.
    #[schemars(schema_with = "parts")]
    parts: BTreeMap<String, Vec<String>>,
    /// Additional values in the syntax of `--set`.
    #[serde(default)]
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
}

fn parts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 50,
        "propertyNames": { "$ref": "#/$defs/value_path" },
        "additionalProperties": {
            "type": "array",
            "items": { "$ref": "#/$defs/value_path" },
            "maxItems": 50,
            "uniqueItems": true,
            "description": "the other parts that it needs",
        },
    })
}

fn needs_other_parts(case: &CaseSpec, _: &Topology, _: &Suite) -> Result<(), String> {
    let parts = case.with::<With>()?.parts;
    for (part, needs) in &parts {
        if let Some(need) = needs.iter().find(|need| *need == part || !parts.contains_key(*need)) {
            return Err(format!(
                "part `{part}` needs `{need}`, which is not another one of `parts`: add it, or name one of them"
            ));
        }
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    extra::with(cx, deployed_release, "none", &with.only(&[]), async |none| {
        let left = none.with_pods();
        let named: Vec<_> = left.iter().map(|(kind, name)| format!("{kind}/{name}")).collect();
        ensure!(left.is_empty(), "with every part disabled, these are still deployed: {}", named.join(", "));
        Ok(())
    })
    .await?;
    for (number, (part, needs)) in with.parts.iter().enumerate() {
        let on: Vec<_> = std::iter::once(part).chain(needs).collect();
        let ready = async |alone: &DeployedRelease| {
            let count = alone.workloads().len();
            ensure!(count == on.len(), "{count} workloads are deployed for {} parts", on.len());
            rolled_out::rolled_out(cx, alone).await
        };
        let alone = extra::with(cx, deployed_release, &format!("alone-{number}"), &with.only(&on), ready).await;
        alone.with_context(|| format!("only {on:?} enabled"))?;
    }
    Ok(format!("each of {} parts alone, and none", with.parts.len()))
}

impl With {
    /// Returns the values that enable only these parts.
    fn only(&self, on: &[&String]) -> Changes {
        let switches = self.parts.keys().map(|part| format!("{part}={}", on.contains(&part)));
        Changes { set: self.set.iter().cloned().chain(switches).collect(), ..Changes::default() }
    }
}
