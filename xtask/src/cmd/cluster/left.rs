//! Leftovers of earlier runs: clusters in this host's leases, kind clusters without a lease, and namespaces on an
//! existing cluster.

use std::path::PathBuf;

use anyhow::Context;
use kube::config::Kubeconfig;

use cluster::lease::{self, State};
use cluster::{kind, namespaces, sweep};
use console::exit::usage;
use process::Launcher;
use tools::Name;

/// The flags of `list` and `sweep`.
#[derive(clap::Args)]
pub struct Args {
    /// Also look for namespaces on the existing cluster of this kubeconfig context
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig with this context [default: kubectl's]
    #[arg(long, value_name = "FILE", requires = "context")]
    kubeconfig: Option<PathBuf>,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

impl Args {
    /// Returns the launcher for kind and docker.
    pub(super) fn launcher(&self) -> Launcher {
        Launcher::light(self.verbose)
    }
}

/// Prints one line for each leftover.
///
/// # Errors
/// If the leases or the namespaces can't be read.
pub(super) async fn print(launcher: &Launcher, client: Option<&kube::Client>) -> anyhow::Result<()> {
    let runs = sweep::runs(&lease::folder()?)?;
    let mut left: Vec<_> = runs.iter().flat_map(of_run).collect();
    left.extend(strangers(launcher, &runs).await.iter().map(|name| {
        let fix = format!("if nobody uses it, run `kind delete cluster --name {name}`");
        format!("{:<15} kind cluster {name}: not created by this host; {fix}", "without a lease")
    }));
    if let Some(client) = client {
        left.extend(namespaces::all(client).await?.iter().map(namespace));
    }
    for line in &left {
        console::out(line);
    }
    if left.is_empty() {
        console::out("earlier runs left nothing behind");
    }
    Ok(())
}

/// Returns a client for the existing cluster of `--context`.
pub(super) async fn client(args: &Args) -> anyhow::Result<Option<kube::Client>> {
    let Some(context) = &args.context else { return Ok(None) };
    let file = match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).with_context(|| path.display().to_string()),
        None => Kubeconfig::read().context("reading the kubeconfig"),
    };
    let client = kubernetes::client_of(file.map_err(|error| usage(format!("{error:#}")))?, context).await;
    client.map(Some).map_err(|error| usage(format!("--context {context}: {error:#}")))
}

fn of_run(run: &sweep::LeasedRun) -> Vec<String> {
    let (record, state) = (&run.record, word(Some(run.state)));
    let line = |what| format!("{state:<15} run {} process {}: {what}", record.run_id, record.owner.pid);
    sweep::left(record).into_iter().map(line).collect()
}

fn namespace(found: &namespaces::Found) -> String {
    format!("{:<15} run {}: Namespace/{}", word(found.state), found.run_id, found.name)
}

fn word(state: Option<State>) -> &'static str {
    match state {
        Some(State::Held) => "in use",
        Some(State::Kept) => "kept",
        Some(State::Abandoned) => "abandoned",
        None => "without a lease",
    }
}

/// Returns kind clusters of Chartproof without a lease on this host: another host with the same Docker may use them.
async fn strangers(launcher: &Launcher, runs: &[sweep::LeasedRun]) -> Vec<String> {
    let Ok(docker) = tools::Docker::find(launcher).await else { return vec![] };
    drop(docker);
    let Ok(tool) = tools::resolve(launcher, Name::Kind).await else { return vec![] };
    let found = kind::clusters(launcher, &tool).await.unwrap_or_default();
    let leased = |name: &String| {
        let held = |resource: &lease::Resource| *resource == lease::Resource::KindCluster(name.clone());
        runs.iter().any(|run| run.record.resources.iter().any(held))
    };
    found.into_iter().filter(|name| name.starts_with(kind::PREFIX) && !leased(name)).collect()
}
