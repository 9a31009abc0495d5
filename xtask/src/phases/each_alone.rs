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
    extra::with(cx, placed, "none", &with.only(&[]), async |none| {
        let left = none.with_pods();
        ensure!(left.is_empty(), "with every part switched off, {left:?} are deployed all the same");
        Ok(())
    })
    .await?;
    for (number, (part, needs)) in with.parts.iter().enumerate() {
        let on: Vec<_> = std::iter::once(part).chain(needs).collect();
        let ready = async |alone: &Placed| {
            let count = alone.workloads().len();
            ensure!(count == on.len(), "{count} workloads are deployed for {} parts", on.len());
            rolled_out::rolled_out(cx, alone).await
        };
        let alone = extra::with(cx, placed, &format!("alone-{number}"), &with.only(&on), ready).await;
        alone.with_context(|| format!("only {on:?} switched on"))?;
    }
    Ok(format!("{} parts, each alone, and none", with.parts.len()))
}

impl With {
    /// Only these parts switched on.
    fn only(&self, on: &[&String]) -> Changes {
        let switches = self.parts.keys().map(|part| format!("{part}={}", on.contains(&part)));
        Changes { set: self.set.iter().cloned().chain(switches).collect(), ..Changes::default() }
    }
}
