//! `several_releases`: more releases of the chart, side by side, each under a name of its own, all run.

use futures::future::join_all;
use serde::Deserialize;

use super::context::Cx;
use super::extra::{self, Changes};
use super::{job_completes, rolled_out};
use crate::placed::Placed;

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// How many.
    count: usize,
    /// Values on top, as `--set` takes them.
    #[serde(default)]
    set: Vec<String>,
}

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, with) = (cx.stage()?, cx.with::<With>()?);
    let placed = cx.placed(&stage)?;
    let changes = Changes { set: with.set, ..Changes::default() };
    let runs = async |extra: &Placed| {
        rolled_out::rolled_out(cx, extra).await?;
        if !extra.jobs().is_empty() {
            job_completes::completed(cx, extra).await?;
        }
        Ok(extra.release.name.clone())
    };
    let suffixes: Vec<_> = (1..=with.count).map(|number| format!("beside-{number}")).collect();
    let releases = suffixes.iter().map(|suffix| extra::with(cx, placed, suffix, &changes, runs));
    // All of them to their end: each takes its release away.
    let names = join_all(releases).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(names.join(", "))
}
