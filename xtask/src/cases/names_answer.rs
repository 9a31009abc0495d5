//! `names_answer`: these names resolve inside the cluster, also across namespaces, and something listens there.

use anyhow::{Context as _, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::workload::inside::Asker;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "names_answer",
        summary: "these names resolve inside the cluster, also across namespaces, and something listens there",
        needs: &[&install::CASE.kind],
        asks_inside: true,
        parameters: Parameters::of::<With>(),
        check: known_parts,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Names as `host:port`, in which `${namespace:PART}` is replaced.
    #[schemars(schema_with = "names")]
    names: Vec<String>,
}

fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "$ref": "#/$defs/address" },
        "minItems": 1,
        "maxItems": 200,
        "uniqueItems": true,
    })
}

fn known_parts(case: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    suite.check_holes(&case.with::<With>()?.names)
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let namespaces = cx.variant()?.namespaces(&cx.run.id);
    let image = cx.run.client_image().context("the image of the in-cluster client can't be loaded into the nodes")?;
    let mut asker = Asker::open((&deployed, &cx.wait), image).await?;
    let mut silent = Vec::new();
    for name in &with.names {
        let name = namespaces.fill(name).map_err(anyhow::Error::msg)?;
        silent.extend(asker.connect(&name).await?.err());
    }
    ensure!(silent.is_empty(), "{} of {} names do not respond: {}", silent.len(), with.names.len(), silent.join("; "));
    Ok(format!("{} names", with.names.len()))
}
