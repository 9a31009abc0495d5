//! `voters`: every replica votes, and all agree on who does. Ready does not mean that.

use super::context::Cx;
use super::settled;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    settled::voters(cx, &stage, stage.topology.replicas).await?;
    Ok(String::new())
}
