//! `cargo xtask cluster up`: runs an embedded cluster for helm and kubectl until it is stopped.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use cluster::{Choice, Cluster, Problems, Request, lease};
use console::exit::Exit;
use console::interrupt::Interrupt;
use process::{Launcher, quote};

/// The prefix of the ids of these clusters.
pub(super) const PREFIX: &str = "up-";

/// The flags of `cargo xtask cluster up`.
#[derive(clap::Args)]
pub struct Args {
    /// Image archive to load; can be repeated
    #[arg(long = "image", value_name = "ARCHIVE")]
    images: Vec<PathBuf>,
}

/// Runs `cargo xtask cluster up`.
///
/// # Errors
/// If the cluster can't be started, loaded or stopped.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let archives: Vec<_> = args.images.iter().map(|path| images::check(path)).collect::<anyhow::Result<_>>()?;
    let leases = lease::folder()?;
    let id = format!("{PREFIX}{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let folder = leases.with_file_name("clusters").join(&id);
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let message = format!("the files of the cluster are in {}", folder.display());
    let interrupt = Interrupt::listen(move || message.clone())?;
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
    cluster.context("internal error: preflight found neither a problem nor a cluster")
}

/// Starts the cluster, prints how to reach it, and waits for a signal.
async fn serve(cluster: &Cluster, archives: &[images::Archive], interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let access = cluster.create().await?;
    cluster.load_images(archives).await?;
    // From now on, `--reuse` may use it.
    cluster.keep().await?;
    console::out(format_args!("export KUBECONFIG={}", quote(&access.kubeconfig.display().to_string())));
    console::err(format_args!(
        "context {}; stop the cluster with Ctrl-C or `{} cluster down`",
        access.context,
        console::program::command()
    ));
    interrupt.cancel.cancelled().await;
    Ok(Exit::Passed.into())
}
