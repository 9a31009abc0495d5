//! A release beside those of the suite: made by one case for itself, and taken away by it; where the case failed, once its
//! evidence is kept.

use std::path::PathBuf;

use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::DeleteParams;
use serde::Deserialize;

use super::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use kubernetes::{call, code};
use process::CommandError;
use tools::helm;

/// What such a release is deployed with, on top of what the one beside it is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Changes {
    /// Values files, relative to the chart.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// Values, as `--set` takes them, with `${namespace}` filled in.
    #[serde(default)]
    pub set: Vec<String>,
}

/// A release like `deployed_release`, called `NAME-suffix`, in the same namespace; nothing is installed yet.
///
/// # Errors
/// Where helm does not render it.
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
    Ok(extra)
}

/// Puts changes on top of a release's values, and renders it again.
///
/// # Errors
/// Where helm does not render it.
pub async fn changed(
    cx: &CaseContext,
    deployed_release: &mut DeployedRelease,
    changes: &Changes,
) -> anyhow::Result<()> {
    let namespaces = cx.variant()?.namespaces(&cx.run.id);
    deployed_release.values.files.extend(changes.values.iter().map(|file| deployed_release.chart.join(file)));
    for value in &changes.set {
        deployed_release.values.set.push(namespaces.fill(value).map_err(anyhow::Error::msg)?);
    }
    let template =
        deployed_release.helm.cmd("template").arg(&deployed_release.chart).args(deployed_release.values.args());
    deployed_release.objects = helm::objects(&template.run().await?)?;
    Ok(())
}

/// Installs a release beside `deployed_release`, looks at it, and takes it away.
///
/// # Errors
/// Where it can't be installed, what `look` found, or that it does not go.
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

/// Installs it; answers what helm said where that failed.
pub async fn install(cx: &CaseContext, extra: &DeployedRelease) -> Option<CommandError> {
    cx.own().push(extra.clone());
    extra.helm.install(&extra.chart, &extra.values).timeout(cx.wait.left()).run().await.err()
}

/// Takes it away, with its hooks' Jobs, which helm leaves, and waits until its pods are gone.
///
/// # Errors
/// Where helm fails, or pods stay.
pub async fn uninstall(cx: &CaseContext, extra: &DeployedRelease) -> anyhow::Result<()> {
    cx.own().retain(|own| own.release.name != extra.release.name);
    extra.helm.cmd("uninstall").run().await?;
    let jobs: Api<Job> = Api::namespaced(cx.run.live()?.client.clone(), extra.watch.namespace());
    for job in extra.all_hook_jobs() {
        let deleted = call(&format!("deleting Job/{job}"), jobs.delete(job, &DeleteParams::background())).await;
        // One that its hook's policy deleted is gone already.
        deleted.map(drop).or_else(|error| if code(&error) == Some(404) { Ok(()) } else { Err(error) })?;
    }
    let gone = |_: &_| match extra.pods().len() {
        0 => Ok(()),
        left => Err(format!("{left} pods left")),
    };
    cx.wait.until(&extra.watch, &format!("release {} gone", extra.release.name), gone).await
}

/// Takes away what a case that failed left there: what comes after it has a namespace without it. After an interrupt the
/// namespace goes with it.
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
