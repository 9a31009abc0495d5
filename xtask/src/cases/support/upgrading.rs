//! An upgrade or a roll-back under load: it has to replace every pod.

use anyhow::ensure;
use kube::ResourceExt;

use super::disturb::Disturbance;
use process::quote_line;

/// Upgrades the release as the suite says.
///
/// # Errors
/// As [`rolled`].
pub async fn upgraded(disturbance: &Disturbance<'_>) -> anyhow::Result<()> {
    let (cx, deployed) = (disturbance.cx, &disturbance.deployed);
    let values = deployed.values.and(&deployed.suite.upgrade.set);
    // Rendered first: that shows which of the values are no secrets. What is wrong with them, the upgrade says.
    let template = deployed.helm.cmd("template").arg(deployed.suite.chart()).args(values.args());
    drop(template.run().await);
    let set = deployed.suite.upgrade.set.iter().flat_map(|value| ["--set".to_owned(), value.clone()]);
    let told = format!("helm upgrade {}", quote_line(redact::words(&set.collect::<Vec<_>>())));
    let upgrade = deployed.helm.upgrade(&deployed.suite.chart(), &values).timeout(cx.wait.left());
    rolled(disturbance, &told, async { upgrade.run().await.map_err(anyhow::Error::new) }).await
}

/// Does something that replaces every pod, and waits until it has.
///
/// # Errors
/// Where a pod is still the same afterwards.
pub async fn rolled(
    disturbance: &Disturbance<'_>,
    told: &str,
    change: impl Future<Output = anyhow::Result<String>>,
) -> anyhow::Result<()> {
    let (cx, deployed) = (disturbance.cx, &disturbance.deployed);
    let uids = || deployed.replicas().iter().filter_map(ResourceExt::uid).collect::<Vec<_>>();
    let before = uids();
    let generation = deployed.rollout().and_then(|rollout| rollout.generation);
    let (kind, name) = deployed.workload()?;
    let fault = disturbance.recorder.fault(told);
    cx.wait.unless_hopeless(&deployed.watch, told, change).await??;
    let what = "a new revision of the workload";
    cx.wait
        .until(&deployed.watch, what, |state| {
            let now = state.rollout(kind, name).and_then(|rollout| rollout.generation);
            if now > generation { Ok(()) } else { Err(format!("generation {}", now.unwrap_or_default())) }
        })
        .await?;
    disturbance.settled_again(fault).await?;
    let after = uids();
    let same = after.iter().filter(|uid| before.contains(uid)).count();
    ensure!(
        same == 0,
        "{told}: {same} of {} pods were not replaced: nothing is proven; see [upgrade] of the suite",
        after.len()
    );
    disturbance.recorder.evidence(fault, format!("{} pods replaced", after.len()));
    Ok(())
}
