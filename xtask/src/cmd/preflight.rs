//! What `cargo xtask e2e` checks and prepares before it creates anything.

use anyhow::Context;

use crate::cases;
use crate::charts::Charts;
use crate::plan::Plan;
use crate::run::Run;
use cluster::{self, Cluster, Problems, Request, sweep};
use console::exit::usage;
use process::Launcher;
use suite::Starts;
use tools::{self, Tool};

/// What a run needs before it creates anything.
pub struct Prepared {
    /// The helm to use.
    pub helm: Tool,
    /// A helm of another major version, if a case needs it.
    pub other_helm: Option<Tool>,
    /// The charts of the suites.
    pub charts: Charts,
    /// The cluster, which does not exist yet.
    pub cluster: Cluster,
}

/// Checks the environment, and prepares the charts and the cluster without creating it. Sweeps what earlier runs left
/// behind.
///
/// # Errors
/// If anything is missing, or a chart can't be had.
pub async fn preflight(launcher: &Launcher, request: &Request, plan: &Plan, keep: bool) -> anyhow::Result<Prepared> {
    let mut problems = Problems::default();
    // First, since the cluster of a killed run is reached through files that the run left in the same folder.
    for line in sweep::sweep(launcher, &request.leases, false).await? {
        launcher.note(line);
    }
    let cluster = cluster::prepare(launcher, request, &mut problems).await?;
    if keep && request.ci && matches!(cluster, Some(Cluster::Embedded(_))) {
        let why = "it would stay until Ctrl-C; leave out --keep, or unset CI";
        return Err(usage(format!("--keep is not supported with an embedded cluster in CI: {why}")));
    }
    let helm = problems.take(tools::resolve(launcher, tools::Name::Helm).await, "");
    let other_helm = match helm.as_ref().filter(|_| plan.starts(Starts::OtherHelm)) {
        Some(helm) => problems.take(tools::resolve_other_major(launcher, helm).await, ""),
        None => None,
    };
    problems.into_result()?;
    let (helm, cluster) =
        helm.zip(cluster).context("internal error: preflight found neither a problem nor a cluster")?;
    let suites = plan.variants.iter().map(|variant| variant.suite.as_ref());
    let charts = Charts::prepare(launcher, &helm, suites, &request.run_dir.join("charts")).await?;
    Ok(Prepared { helm, other_helm, charts, cluster })
}

/// Checks what the charts render: that they create nothing that they may not, and have the image under test. Lets Docker
/// pull their images before anything is created; if it can't, the run falls back to another cluster or fails.
///
/// # Errors
/// If a chart does not have the image, or creates what it may not, or there is no other cluster.
pub async fn rendered(run: &mut Run, request: &Request, plan: &Plan, keep: bool) -> anyhow::Result<()> {
    run.check_kubernetes().await?;
    if !plan.runs(&cases::images_load::CASE.kind) {
        return Ok(());
    }
    run.check_outside(keep).await?;
    run.check_rendered_image().await?;
    let missing = run.missing_images(request.pull_retries()).await;
    if missing.is_empty() {
        return Ok(());
    }
    let mut problems = Problems::default();
    let instead = cluster::without_images(&run.launcher, request, &missing, &mut problems)?;
    problems.into_result()?;
    run.cluster = instead.context("internal error: preflight found neither a problem nor a cluster")?;
    Ok(())
}
