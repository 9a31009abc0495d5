//! `pod_kill_follower`: a follower is killed under load, then the leader, so that the follower's copy counts.

use super::context::Cx;
use super::disturb::Disturbance;
use super::kill::Grace;
use super::settled;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let leader = settled::leader(&disturbance.stage).await;
    let mut names = disturbance.stage.names(replicas);
    names.retain(|name| Some(name) != leader.as_ref());
    let follower = names.pop().unwrap_or_default();
    disturbance.kill(&follower, Grace::None, "a follower").await?;
    disturbance.read_back().await?;
    match settled::leader(&disturbance.stage).await {
        Some(leader) => disturbance.kill_leader(&leader, Grace::None).await?,
        None => disturbance.kill_the_rest(&[follower]).await?,
    }
    disturbance.end().await
}
