//! `pod_kill_follower`: a follower is killed under load, then the leader, so that the follower's copy of the data is
//! needed.

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::kill::Grace;
use super::support::settled;
use super::voters;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "pod_kill_follower",
        summary: "a follower is killed under load, then the leader; everything can be read back after each kill",
        needs: &[&voters::CASE.kind],
        fewest_replicas: 2,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let leader = settled::leader(&disturbance.deployed).await;
    let mut names = disturbance.deployed.names(replicas);
    names.retain(|name| Some(name) != leader.as_ref());
    let follower = names.pop().unwrap_or_default();
    disturbance.kill(&follower, Grace::None, "a follower").await?;
    disturbance.read_back().await?;
    match settled::leader(&disturbance.deployed).await {
        Some(leader) => disturbance.kill_leader(&leader, Grace::None).await?,
        None => disturbance.kill_the_rest(&[follower]).await?,
    }
    disturbance.end().await
}
