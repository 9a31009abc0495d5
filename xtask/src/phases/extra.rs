//! A release beside those of the suite: made by one case for itself, and taken away by it.

use std::path::PathBuf;

use serde::Deserialize;

use super::context::Cx;
use crate::helm;
use crate::placed::Placed;
use crate::process::CommandError;

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

/// A release like `placed`, called `NAME-suffix`, in the same namespace; nothing is installed yet.
///
/// # Errors
/// Where helm does not render it.
pub async fn beside(cx: &Cx, placed: &Placed, suffix: &str, changes: &Changes) -> anyhow::Result<Placed> {
    let mut extra = placed.clone();
    extra.release.name = format!("{}-{suffix}", placed.release.name);
    extra.helm.release.clone_from(&extra.release.name);
    changed(cx, &mut extra, changes).await?;
    Ok(extra)
}

/// Puts changes on top of a release's values, and renders it again.
///
/// # Errors
/// Where helm does not render it.
pub async fn changed(cx: &Cx, placed: &mut Placed, changes: &Changes) -> anyhow::Result<()> {
    let namespaces = cx.variant()?.namespaces(&cx.run.id);
    placed.values.files.extend(changes.values.iter().map(|file| placed.chart.join(file)));
    for value in &changes.set {
        placed.values.set.push(namespaces.fill(value).map_err(anyhow::Error::msg)?);
    }
    let template = placed.helm.cmd("template").arg(&placed.chart).args(placed.values.args());
    placed.objects = helm::objects(&template.run().await?)?;
    Ok(())
}

/// Installs it; answers what helm said where that failed.
pub async fn install(cx: &Cx, extra: &Placed) -> Option<CommandError> {
    extra.helm.install(&extra.chart, &extra.values).timeout(cx.wait.left()).run().await.err()
}

/// Takes it away, and waits until its pods are gone.
///
/// # Errors
/// Where helm fails, or pods stay.
pub async fn uninstall(cx: &Cx, extra: &Placed) -> anyhow::Result<()> {
    extra.helm.cmd("uninstall").run().await?;
    let gone = |_: &_| match extra.pods().len() {
        0 => Ok(()),
        left => Err(format!("{left} pods left")),
    };
    cx.wait.until(&extra.watch, &format!("release {} gone", extra.release.name), gone).await
}
