//! `pod_kill_leader`: the leader is killed under load, then the new leader, then the remaining replicas in turn.

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
        name: "pod_kill_leader",
        summary: "the leader is killed under load, then the new leader, then the remaining replicas in turn. Another \
                  replica takes the lead, and everything can be read back after each kill",
        needs: &[&voters::CASE.kind],
        fewest_replicas: 2,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let Some(leader) = settled::leader(&disturbance.deployed).await else {
        return every_ordinal(disturbance, replicas).await;
    };
    disturbance.kill_leader(&leader, Grace::None).await?;
    disturbance.read_back().await?;
    // All reads may have been served from the new leader's disk, so that replica is killed too.
    let next = settled::leader(&disturbance.deployed).await.unwrap_or_else(|| leader.clone());
    disturbance.kill_leader(&next, Grace::Default).await?;
    disturbance.kill_the_rest(&[leader, next]).await?;
    disturbance.end().await
}

/// Kills every replica in turn if no leader is reported, since one of them must be the leader.
async fn every_ordinal(disturbance: Disturbance<'_>, replicas: u32) -> anyhow::Result<String> {
    for name in disturbance.deployed.names(replicas) {
        disturbance.kill(&name, Grace::None, "every ordinal in turn").await?;
        disturbance.read_back().await?;
    }
    let note = disturbance.end().await?;
    Ok(format!("{note}; the application reports no leader, so every ordinal was killed"))
}
