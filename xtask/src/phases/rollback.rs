//! `rollback`: `helm rollback` under load brings the revision before the upgrade back, and loses nothing.

use anyhow::ensure;

use super::context::Cx;
use super::disturb::Disturbance;
use super::upgrade;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let stage = disturbance.stage.clone();
    let revision = stage.helm.revision().await?;
    let told = format!("helm rollback from revision {revision} to {}", revision - 1);
    let back = stage.helm.cmd("rollback").arg((revision - 1).to_string()).timeout(cx.wait.left());
    let template = || stage.rollout().map(|rollout| rollout.template);
    let before = template();
    upgrade::rolled(&disturbance, &told, async { back.run().await.map_err(anyhow::Error::new) }).await?;
    ensure!(template() != before, "{told}: the pods' template is the same as before");
    let now = stage.helm.revision().await?;
    ensure!(now == revision + 1, "{told}: revision {now} is current, {} should be", revision + 1);
    disturbance.end().await
}
