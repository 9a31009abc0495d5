//! `ready`: every replica becomes ready.

use super::context::Cx;
use super::settled;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    settled::ready(cx, &stage, stage.topology.replicas).await?;
    Ok(String::new())
}
