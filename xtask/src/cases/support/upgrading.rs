//! An upgrade or rollback under load, which must replace every pod.

use anyhow::ensure;
use kube::ResourceExt;

use super::disturb::Disturbance;
use super::rolled_out;
use process::{Cmd, quote_line};

/// Upgrades the release with the suite's `[upgrade]`.
///
/// # Errors
/// As [`rolled`].
pub async fn upgraded(disturbance: &Disturbance<'_>) -> anyhow::Result<()> {
    let (cx, deployed) = (disturbance.cx, &disturbance.deployed);
    let values = deployed.values.and(&deployed.suite.upgrade.set);
    // Rendering first shows which values are not secrets. The upgrade reports any error in them.
    let chart = &deployed.deployed_release(None)?.chart;
    let template = deployed.helm.cmd("template").arg(chart).args(values.args());
    drop(template.run().await);
    let set = deployed.suite.upgrade.set.iter().flat_map(|value| ["--set".to_owned(), value.clone()]);
    let what = format!("helm upgrade {}", quote_line(redact::words(&set.collect::<Vec<_>>())));
    let upgrade = deployed.helm.upgrade(chart, &values).timeout(cx.wait.left());
    rolled(disturbance, &what, async { upgrade.run().await.map_err(anyhow::Error::new) }).await
}

/// Makes a change that replaces every pod, and waits until it has.
///
/// # Errors
/// If a pod was not replaced.
pub async fn rolled(
    disturbance: &Disturbance<'_>,
    what: &str,
    change: impl Future<Output = anyhow::Result<String>>,
) -> anyhow::Result<()> {
    let (cx, deployed) = (disturbance.cx, &disturbance.deployed);
    let uids = || deployed.replicas().iter().filter_map(ResourceExt::uid).collect::<Vec<_>>();
    let before = uids();
    let generation = deployed.rollout().and_then(|rollout| rollout.generation);
    let (kind, name) = deployed.workload()?;
    let fault = disturbance.recorder.fault(what);
    cx.wait.unless_hopeless(&deployed.watch, what, change).await??;
    cx.wait
        .until(&deployed.watch, "a new revision of the workload", |state| {
            let now = state.rollout(kind, name).and_then(|rollout| rollout.generation);
            if now > generation { Ok(()) } else { Err(format!("generation {}", now.unwrap_or_default())) }
        })
        .await?;
    disturbance.settled_again(fault).await?;
    let after = uids();
    let same = after.iter().filter(|uid| before.contains(uid)).count();
    ensure!(
        same == 0,
        "{what}: {same} of {} pods were not replaced, so the upgrade was not tested; see [upgrade] of the suite",
        after.len()
    );
    disturbance.recorder.evidence(fault, format!("{} pods replaced", after.len()));
    Ok(())
}

/// Makes a change of the release under test by helm, and waits until everything in it is ready and writes are
/// acknowledged again.
///
/// # Errors
/// If helm fails, in its words, or the release does not recover.
pub async fn changed(disturbance: &Disturbance<'_>, what: &str, helm: Cmd) -> anyhow::Result<()> {
    let (cx, deployed) = (disturbance.cx, &disturbance.deployed);
    let release = deployed.deployed_release(None)?;
    let fault = disturbance.recorder.fault(what);
    cx.wait.unless_hopeless(&deployed.watch, what, helm.run()).await??;
    rolled_out::rolled_out(cx, release).await?;
    disturbance.settled_again(fault).await?;
    disturbance.recorder.evidence(fault, format!("revision {}", release.helm.revision().await?));
    Ok(())
}
