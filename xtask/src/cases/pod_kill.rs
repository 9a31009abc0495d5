//! `pod_kill`: the only replica is killed twice under load and keeps its data.

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::kill::Grace;
use super::write_read;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "pod_kill",
        summary: "the only replica is killed twice under load and keeps its data",
        needs: &[&write_read::CASE.kind],
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    // A Deployment's pod gets a new name each time.
    let last = || disturbance.deployed.names(replicas).pop().unwrap_or_default();
    disturbance.kill(&last(), Grace::None, "the only replica").await?;
    disturbance.read_back().await?;
    disturbance.kill(&last(), Grace::Default, "the only replica again").await?;
    disturbance.end().await
}
