//! How a topology begins: its release under test may be installed from an earlier chart, or by the other helm.

use anyhow::Context;

use super::context::CaseContext;
use crate::deployed_release::DeployedRelease;
use process::Cmd;
use suite::{Earlier, Starts};
use tools::Tool;
use tools::helm::Helm;

/// Returns `helm install` for a release as its topology begins.
///
/// # Errors
/// If the suite or the run lacks what it begins with, which the loader and preflight rule out.
pub fn install(cx: &CaseContext, release: &DeployedRelease) -> anyhow::Result<Cmd> {
    let variant = cx.variant()?;
    if !variant.is_under_test(&release.release) {
        return Ok(release.helm.install(&release.chart, &release.values));
    }
    match variant.starts() {
        Starts::AsIs => Ok(release.helm.install(&release.chart, &release.values)),
        Starts::OtherHelm => Ok(by_other_helm(cx, release)?.install(&release.chart, &release.values)),
        Starts::Earlier => {
            let earlier = earlier(cx)?;
            let values = cx.run.earlier_values(variant, earlier)?;
            Ok(release.helm.install(&cx.run.charts.folder(&earlier.source), &values))
        }
    }
}

/// Describes how the topology begins, for the line of `install`.
///
/// # Errors
/// As [`install`].
pub fn note(cx: &CaseContext) -> anyhow::Result<String> {
    Ok(match cx.variant()?.starts() {
        Starts::AsIs => String::new(),
        Starts::OtherHelm => format!("; by helm {}", other_helm(cx)?.version),
        Starts::Earlier => format!("; from {}", earlier(cx)?.label()),
    })
}

/// Returns the chart that the topology is upgraded from.
///
/// # Errors
/// If the suite has none.
pub fn earlier(cx: &CaseContext) -> anyhow::Result<&Earlier> {
    cx.variant()?.suite.upgrade.from.as_ref().context("the suite has no [upgrade.from]")
}

/// Returns a release's command lines with the other helm.
///
/// # Errors
/// If the run has none.
pub fn by_other_helm(cx: &CaseContext, release: &DeployedRelease) -> anyhow::Result<Helm> {
    Ok(Helm { tool: other_helm(cx)?.clone(), ..release.helm.clone() })
}

/// Returns the helm of the other major version.
///
/// # Errors
/// If the run has none.
pub fn other_helm(cx: &CaseContext) -> anyhow::Result<&Tool> {
    cx.run.other_helm.as_ref().context("the run has no other helm")
}
