//! `pod_kill_zero`: ordinal 0 loses its disk with its pod; it has to join the others again, not found a
//! cluster of its own.

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::kill::Grace;
use super::voters;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "pod_kill_zero",
        summary: "ordinal 0 is killed and loses its disk; it joins again and does not found a second cluster. Then \
                  the other replicas are killed in turn",
        needs: &[&voters::CASE.kind],
        fewest_replicas: 2,
        missing: missing::members,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let zero = disturbance.deployed.names(replicas).swap_remove(0);
    // Recovery asks for as many voters as replicas, agreed on by all: a second cluster is told at once,
    // and the dead entry has to be demoted.
    disturbance.kill(&zero, Grace::None, "ordinal 0, with its disk").await?;
    disturbance.kill_the_rest(&[zero]).await?;
    disturbance.end().await
}
