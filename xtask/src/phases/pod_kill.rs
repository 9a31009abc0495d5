//! `pod_kill`: the only replica is killed, twice, and comes back with its data.

use super::context::Cx;
use super::disturb::Disturbance;
use super::kill::Grace;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    // A Deployment's pod is called something else each time.
    let last = || disturbance.stage.names(replicas).pop().unwrap_or_default();
    disturbance.kill(&last(), Grace::None, "the only replica").await?;
    disturbance.read_back().await?;
    disturbance.kill(&last(), Grace::Default, "the only replica again").await?;
    disturbance.end().await
}
