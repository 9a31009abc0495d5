//! `ready`: everything that every release made becomes ready.

use futures::future::try_join_all;

use super::context::Cx;
use super::{rolled_out, settled};

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    if stage.suite.workload.is_some() {
        settled::ready(cx, &stage, stage.topology.replicas).await?;
    }
    let not_judged =
        try_join_all(stage.releases.iter().map(|placed| rolled_out::rolled_out(cx, placed))).await?.concat();
    Ok(if not_judged.is_empty() { String::new() } else { format!("not judged: {}", not_judged.join(", ")) })
}
