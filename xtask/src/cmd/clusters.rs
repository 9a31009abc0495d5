//! `cargo xtask clusters`: lists what earlier runs left behind, and sweeps it.

use std::process::ExitCode;

use crate::cluster::lease::{self, State};
use crate::cluster::{kind, sweep};
use crate::exit::Exit;
use crate::process::Launcher;
use crate::tools::{self, Name};

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// Delete what no living run needs, also what was left on purpose
    #[arg(long)]
    sweep: bool,
    /// Show every command line
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
///
/// # Errors
/// Where the leases can't be read. What can't be swept is exit code 3, after everything was tried.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let folder = lease::folder()?;
    let mut exit = Exit::Passed;
    if args.sweep {
        for line in sweep::sweep(&launcher, &folder, true).await? {
            if !line.starts_with("swept") {
                exit = Exit::Environment;
            }
            println!("{line}");
        }
    }
    let runs = sweep::runs(&folder)?;
    for sweep::Run { record, state, .. } in &runs {
        let state = match state {
            State::Held => "in use",
            State::Kept => "left on purpose",
            State::Abandoned => "abandoned",
        };
        for resource in &record.resources {
            println!("{state:<15} run {} process {}: {}", record.run_id, record.owner.pid, sweep::name(resource));
        }
    }
    let strangers = strangers(&launcher, &runs).await;
    for name in &strangers {
        println!(
            "{:<15} kind cluster {name}: not of this host; `kind delete cluster --name {name}`",
            "without a lease"
        );
    }
    if runs.is_empty() && strangers.is_empty() {
        println!("nothing is left of any run");
    }
    Ok(exit.into())
}

/// Clusters with a name of ours that no lease of this host knows: another host's on the same Docker, perhaps in use.
async fn strangers(launcher: &Launcher, runs: &[sweep::Run]) -> Vec<String> {
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
