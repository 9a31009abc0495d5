//! `several_releases`: additional releases of the chart run side by side, each under its own name.

use anyhow::ensure;
use futures::future::try_join_all;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::extra::{self, Changes};
use super::support::{jobs, rolled_out};
use crate::deployed_release::DeployedRelease;
use suite::{CaseKind, Parameters, definitions};

/// How many helm processes run at once; each renders the whole chart.
const AT_ONCE: usize = 4;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "several_releases",
        summary: "this number of additional releases (up to 20) run side by side, each under its own name",
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
    /// Number of additional releases.
    #[schemars(range(min = 1, max = 20))]
    count: usize,
    /// Additional values in the syntax of `--set`.
    #[serde(default)]
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    let changes = Changes { set: with.set, ..Changes::default() };
    let suffixes: Vec<_> = (1..=with.count).map(|number| format!("beside-{number}")).collect();
    let extras = iter(&suffixes).map(|suffix| extra::beside(cx, deployed_release, suffix, &changes));
    let extras: Vec<DeployedRelease> = extras.buffered(AT_ONCE).try_collect().await?;
    // Install all of them before checking or uninstalling any.
    let installs = iter(&extras).map(|extra| extra::install(cx, extra)).buffered(AT_ONCE);
    if let Some(error) = installs.collect::<Vec<_>>().await.into_iter().flatten().next() {
        return Err(error.into());
    }
    let names = try_join_all(extras.iter().map(|extra| runs(cx, extra))).await?;
    let gone = iter(&extras).map(|extra| extra::uninstall(cx, extra)).buffered(AT_ONCE);
    gone.collect::<Vec<_>>().await.into_iter().collect::<anyhow::Result<()>>()?;
    Ok(names.join(", "))
}

async fn runs(cx: &CaseContext, extra: &DeployedRelease) -> anyhow::Result<String> {
    let runs_something = !extra.workloads().is_empty() || !extra.jobs().is_empty();
    ensure!(runs_something, "release {} has neither a workload nor a Job", extra.release.name);
    rolled_out::rolled_out(cx, extra).await?;
    if !extra.jobs().is_empty() {
        jobs::completed(cx, extra).await?;
    }
    Ok(extra.release.name.clone())
}
