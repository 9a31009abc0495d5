//! A release beside those of the suite, which a case installs for itself. The case uninstalls it; if the case fails,
//! this happens after evidence is collected.

use std::path::PathBuf;

use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::DeleteParams;
use serde::Deserialize;

use super::context::CaseContext;
use super::outside;
use crate::deployed_release::DeployedRelease;
use kubernetes::{call, code};
use process::CommandError;
use tools::helm;

/// The values of such a release, applied after those of the original release.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Changes {
    /// Values files, relative to the chart.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// Values in the syntax of `--set`, in which `${namespace}` is replaced.
    #[serde(default)]
    pub set: Vec<String>,
}

/// Returns a release like `deployed_release`, named `NAME-suffix`, in the same namespace, without installing it.
///
/// # Errors
/// If helm can't render it, or it may not create what it creates outside of its namespace.
pub async fn beside(
    cx: &CaseContext,
    deployed_release: &DeployedRelease,
    suffix: &str,
    changes: &Changes,
) -> anyhow::Result<DeployedRelease> {
    let mut extra = deployed_release.clone();
    extra.release.name = format!("{}-{suffix}", deployed_release.release.name);
    extra.helm.release.clone_from(&extra.release.name);
    changed(cx, &mut extra, changes).await?;
    outside::prepare(cx, &extra).await?;
    Ok(extra)
}

/// Applies changes to a release's values, and renders it again.
///
/// # Errors
/// If helm can't render it.
pub async fn changed(
    cx: &CaseContext,
    deployed_release: &mut DeployedRelease,
    changes: &Changes,
) -> anyhow::Result<()> {
    let namespaces = cx.variant()?.namespaces(&cx.run.id);
    let own = cx.run.charts.values(&deployed_release.release.source);
    deployed_release.values.files.extend(changes.values.iter().map(|file| own.join(file)));
    for value in &changes.set {
        deployed_release.values.set.push(namespaces.fill(value).map_err(anyhow::Error::msg)?);
    }
    let template = deployed_release.helm.cmd("template").arg(&deployed_release.chart);
    let template = template.args(&cx.run.live()?.capabilities).args(deployed_release.values.args());
    deployed_release.objects = helm::objects(&template.run().await?)?;
    Ok(())
}

/// Installs a release beside `deployed_release`, runs `look` on it, and uninstalls it.
///
/// # Errors
/// If it can't be installed or uninstalled, and the error of `look`.
pub async fn with<T>(
    cx: &CaseContext,
    deployed_release: &DeployedRelease,
    suffix: &str,
    changes: &Changes,
    look: impl AsyncFnOnce(&DeployedRelease) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let extra = beside(cx, deployed_release, suffix, changes).await?;
    if let Some(error) = install(cx, &extra).await {
        return Err(error.into());
    }
    let found = look(&extra).await?;
    uninstall(cx, &extra).await?;
    Ok(found)
}

/// Installs the release; returns helm's error, if any.
pub async fn install(cx: &CaseContext, extra: &DeployedRelease) -> Option<CommandError> {
    cx.own().push(extra.clone());
    let installed = extra.helm.install(&extra.chart, &extra.values).timeout(cx.wait.left()).run().await;
    if let Ok(live) = cx.run.live()
        && let Err(error) = cluster::outside::mark(&live.client, &extra.helm.namespace, &cx.run.id).await
    {
        cx.run.events.note(format!("{}: {error:#}", cx.name));
    }
    installed.err()
}

/// Uninstalls the release, deletes the Jobs of its hooks, which helm leaves, and waits until its pods are gone.
///
/// # Errors
/// If helm fails, or pods remain.
pub async fn uninstall(cx: &CaseContext, extra: &DeployedRelease) -> anyhow::Result<()> {
    cx.own().retain(|own| own.release.name != extra.release.name);
    extra.helm.cmd("uninstall").run().await?;
    let jobs: Api<Job> = Api::namespaced(cx.run.live()?.client.clone(), extra.watch.namespace());
    for job in extra.all_hook_jobs() {
        let deleted = call(&format!("deleting Job/{job}"), jobs.delete(job, &DeleteParams::background())).await;
        // The hook's deletion policy may have deleted it already.
        deleted.map(drop).or_else(|error| if code(&error) == Some(404) { Ok(()) } else { Err(error) })?;
    }
    let gone = |_: &_| match extra.pods().len() {
        0 => Ok(()),
        left => Err(format!("{left} pods left")),
    };
    cx.wait.until(&extra.watch, &format!("the pods of release {} are gone", extra.release.name), gone).await
}

/// Uninstalls the releases that a failed case left, so that the following cases start without them. After an interrupt
/// this is not needed, since the namespace is deleted.
pub async fn clear(cx: &CaseContext) {
    let left = std::mem::take(&mut *cx.own());
    if cx.run.ending.cancel.is_cancelled() {
        return;
    }
    for gone in join_all(left.iter().map(|extra| uninstall(cx, extra))).await {
        if let Err(error) = gone {
            cx.run.events.note(format!("{}: {error:#}", cx.name));
        }
    }
}
