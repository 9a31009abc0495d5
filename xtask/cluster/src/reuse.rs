//! `--reuse`: uses the newest cluster that an earlier run kept or that `cargo xtask cluster up` started. It is treated like
//! any existing cluster: the run works in its own namespaces and deletes nothing else.

use std::path::Path;
use std::sync::Arc;

use super::existing::Options;
use super::lease::{Lease, LeaseRecord, Resource, State};
use super::node_access::NodeAccess;
use super::{Choice, Cluster, Existing, Request, kind, sweep};
use console::exit::usage;
use console::program;
use process::Launcher;
use tools::{self, Docker, Name};

/// Returns the kept cluster of the requested provider.
pub(super) async fn kept(launcher: &Launcher, request: &Request, lease: Arc<Lease>) -> anyhow::Result<Cluster> {
    let runs = sweep::runs(&request.leases)?;
    let mut kept: Vec<_> = runs.iter().filter_map(|run| Some((&run.record, usable(run, &request.choice)?))).collect();
    kept.sort_by_key(|(record, _)| record.expires);
    let Some((record, resource)) = kept.pop() else { return Err(usage(none(&request.choice))) };
    let options = match resource {
        Resource::KindCluster(name) => of_kind(launcher, request, record, name).await?,
        Resource::EmbeddedCluster(dir) => embedded(request, record, dir)?,
        Resource::Namespaces { .. } => return Err(usage(none(&request.choice))),
    };
    Ok(Cluster::Existing(Existing::new(launcher.clone(), options, lease)?))
}

/// Returns the cluster of a run that others may use: a kind cluster that was kept on purpose, or an embedded cluster whose
/// process keeps running.
fn usable<'a>(run: &'a sweep::LeasedRun, choice: &Choice) -> Option<&'a Resource> {
    let wanted = |resource: &&Resource| match resource {
        Resource::KindCluster(_) => run.state == State::Kept && matches!(choice, Choice::Auto | Choice::Kind),
        Resource::EmbeddedCluster(_) => {
            let stays = run.state == State::Held && run.record.kept;
            stays && matches!(choice, Choice::Auto | Choice::Embedded)
        }
        Resource::Namespaces { .. } => false,
    };
    run.record.resources.iter().find(wanted)
}

fn none(choice: &Choice) -> String {
    let command = program::command();
    let how = match choice {
        Choice::Embedded => format!("`{command} cluster up` starts one"),
        Choice::Kind => "run once with --keep".to_owned(),
        Choice::Auto | Choice::Context(_) => format!("run once with --keep, or start one with `{command} cluster up`"),
    };
    format!("--reuse with --cluster {choice}: no run of this user has kept such a cluster; {how}")
}

async fn of_kind(launcher: &Launcher, request: &Request, record: &LeaseRecord, name: &str) -> anyhow::Result<Options> {
    let docker = Docker::find(launcher).await.map_err(|none| anyhow::anyhow!("{}; {}", none.reason, none.fix))?;
    let tool = tools::resolve(launcher, Name::Kind).await?;
    if !kind::clusters(launcher, &tool).await?.iter().any(|found| found == name) {
        let how = format!("`{} cluster sweep` removes its lease", program::command());
        return Err(usage(format!("--reuse: the kind cluster {name} that run {} kept is gone; {how}", record.run_id)));
    }
    let kubeconfig = record.run_dir.join("kubeconfig");
    Ok(options(request, record, format!("kind-{name}"), &kubeconfig, NodeAccess::Kind(tool, docker)))
}

fn embedded(request: &Request, record: &LeaseRecord, dir: &Path) -> anyhow::Result<Options> {
    let cluster = ::embedded::cluster::Cluster::attach(dir)?;
    let kubeconfig = cluster.kubeconfig().to_owned();
    let context = super::embedded::CONTEXT.to_owned();
    Ok(options(request, record, context, &kubeconfig, NodeAccess::Embedded(cluster)))
}

fn options(
    request: &Request,
    record: &LeaseRecord,
    name: String,
    kubeconfig: &Path,
    node_access: NodeAccess,
) -> Options {
    Options {
        name,
        kubeconfig: Some(kubeconfig.to_owned()),
        run_id: request.run_id.clone(),
        run_dir: request.run_dir.clone(),
        node_access,
        kept_by: Some(record.run_id.clone()),
    }
}
