//! `several_releases`: more releases of the chart, side by side, each under a name of its own, all run.

use futures::future::try_join_all;
use serde::Deserialize;

use super::context::Cx;
use super::extra::{self, Changes};
use super::{job_completes, rolled_out};

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
    let releases = (1..=with.count).map(async |number| {
        let extra = extra::beside(cx, placed, &format!("beside-{number}"), &changes).await?;
        if let Some(error) = extra::install(cx, &extra).await {
            return Err(error.into());
        }
        rolled_out::rolled_out(cx, &extra).await?;
        if !extra.jobs().is_empty() {
            job_completes::completed(cx, &extra).await?;
        }
        anyhow::Ok(extra)
    });
    let releases = try_join_all(releases).await?;
    try_join_all(releases.iter().map(|extra| extra::uninstall(cx, extra))).await?;
    let names: Vec<_> = releases.iter().map(|extra| extra.release.name.as_str()).collect();
    Ok(names.join(", "))
}
