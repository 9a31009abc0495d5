//! `each_alone`: the chart with only one of its parts switched on, for each of them: it becomes ready. With all of them
//! off, it installs, and nothing runs.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::context::Cx;
use super::extra::{self, Changes};
use super::rolled_out;
use crate::placed::Placed;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// The parts: path of the value that switches each on, and the parts that it can't do without.
    parts: BTreeMap<String, Vec<String>>,
    /// Values on top, as `--set` takes them.
    #[serde(default)]
    set: Vec<String>,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let placed = cx.placed(&stage)?;
    let none = install(cx, placed, "none", &with, &[]).await?;
    ensure!(
        none.workloads().is_empty(),
        "with every part switched off, {:?} are deployed all the same",
        none.workloads()
    );
    extra::uninstall(cx, &none).await?;
    for (number, (part, needs)) in with.parts.iter().enumerate() {
        let on: Vec<_> = std::iter::once(part).chain(needs).collect();
        let alone = install(cx, placed, &format!("alone-{number}"), &with, &on).await;
        let alone = alone.with_context(|| format!("only {part} switched on"))?;
        let count = alone.workloads().len();
        ensure!(count == on.len(), "with only {on:?} switched on, {count} workloads are deployed");
        rolled_out::rolled_out(cx, &alone).await.with_context(|| format!("only {part} switched on"))?;
        extra::uninstall(cx, &alone).await?;
    }
    Ok(format!("{} parts, each alone, and none", with.parts.len()))
}

/// Installs the chart with only these parts switched on.
async fn install(cx: &Cx, placed: &Placed, suffix: &str, with: &With, on: &[&String]) -> anyhow::Result<Placed> {
    let switches = with.parts.keys().map(|part| format!("{part}={}", on.contains(&part)));
    let set = with.set.iter().cloned().chain(switches).collect();
    let extra = extra::beside(cx, placed, suffix, &Changes { set, ..Changes::default() }).await?;
    match extra::install(cx, &extra).await {
        Some(error) => Err(error.into()),
        None => Ok(extra),
    }
}
