//! `ready`: every workload of every release becomes ready, and the replicas are spread where the topology says so.

use super::context::Cx;
use super::{placement, rolled_out, settled};

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    if stage.suite.workload.is_some() {
        settled::ready(cx, &stage, stage.topology.replicas).await?;
    }
    for placed in &stage.releases {
        rolled_out::rolled_out(cx, placed).await?;
    }
    placement::check(cx, &stage)
}
