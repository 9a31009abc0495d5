//! `cargo xtask cluster up`: an embedded cluster for helm and kubectl, until it is stopped.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use cluster::{Choice, Cluster, Problems, Request, lease};
use console::exit::Exit;
use console::interrupt::Interrupt;
use process::{Launcher, quote};

/// The first part of the ids of what this command starts.
pub(super) const PREFIX: &str = "up-";

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// Load this image archive; can be repeated
    #[arg(long = "image", value_name = "ARCHIVE")]
    images: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// If the cluster can't be started, loaded or stopped.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let archives: Vec<_> = args.images.iter().map(|path| images::check(path)).collect::<anyhow::Result<_>>()?;
    let leases = lease::folder()?;
    let id = format!("{PREFIX}{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let folder = leases.with_file_name("clusters").join(&id);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let told = format!("what is left is in {}", folder.display());
    let interrupt = Interrupt::listen(move || told.clone())?;
    let cluster = prepare(&id, &folder, &leases).await?;
    let kept = serve(&cluster, &archives, &interrupt).await;
    cluster.delete().await?;
    std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    kept
}

async fn prepare(id: &str, folder: &Path, leases: &Path) -> anyhow::Result<Cluster> {
    let request = Request {
        choice: Choice::Embedded,
        run_id: id.to_owned(),
        run_dir: folder.to_owned(),
        leases: leases.to_owned(),
        ..Request::default()
    };
    let mut problems = Problems::default();
    let cluster = cluster::prepare(&Launcher::light(false), &request, &mut problems).await?;
    problems.into_result()?;
    cluster.context("preflight found neither a problem nor a cluster")
}

/// Starts it, says how to reach it, and waits for a signal.
async fn serve(cluster: &Cluster, archives: &[images::Archive], interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let access = cluster.create().await?;
    cluster.load_images(archives).await?;
    // From now on, `--reuse` may work on it.
    cluster.keep().await?;
    console::out(format_args!("export KUBECONFIG={}", quote(&access.kubeconfig.display().to_string())));
    console::err(format_args!("context {}; Ctrl-C or `cargo xtask cluster down` ends it", access.context));
    interrupt.cancel.cancelled().await;
    Ok(Exit::Passed.into())
}
