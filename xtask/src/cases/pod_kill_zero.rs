//! `pod_kill_zero`: ordinal 0 loses its pod and disk; it must join the others again instead of founding a second
//! cluster.

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::kill::Grace;
use super::voters;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "pod_kill_zero",
        summary: "ordinal 0 is killed and loses its disk; it joins again and does not found a second cluster. Then \
                  the other replicas are killed in turn",
        needs: &[&voters::CASE.kind],
        fewest_replicas: 2,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let zero = disturbance.deployed.names(replicas).swap_remove(0);
    // Recovery requires as many voters as replicas, agreed on by all, so a second cluster is noticed, and the dead
    // member must be demoted.
    disturbance.kill(&zero, Grace::None, "ordinal 0, with its disk").await?;
    disturbance.kill_the_rest(&[zero]).await?;
    disturbance.end().await
}
