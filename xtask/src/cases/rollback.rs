//! `rollback`: `helm rollback` under load replaces every pod by the revision before the upgrade.

use anyhow::ensure;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::upgrading;
use super::upgrade;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "rollback",
        summary: "every pod is replaced under load by the revision before the upgrade, and no acknowledged write is \
                  lost",
        needs: &[&upgrade::CASE.kind],
        missing: missing::upgrade,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let deployed = disturbance.deployed.clone();
    let revision = deployed.helm.revision().await?;
    let what = format!("helm rollback from revision {revision} to {}", revision - 1);
    let back = deployed.helm.cmd("rollback").arg((revision - 1).to_string()).timeout(cx.wait.left());
    let template = || deployed.rollout().map(|rollout| rollout.template);
    let before = template();
    upgrading::rolled(&disturbance, &what, async { back.run().await.map_err(anyhow::Error::new) }).await?;
    ensure!(template() != before, "{what}: the pod template did not change");
    let now = deployed.helm.revision().await?;
    ensure!(now == revision + 1, "{what}: revision {now} is current instead of {}", revision + 1);
    disturbance.end().await
}
