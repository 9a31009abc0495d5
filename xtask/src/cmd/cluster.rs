//! `cargo xtask cluster`: an embedded cluster for helm and kubectl, until it is taken down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;
use rustix::process::{Pid, Signal, kill_process};

use cluster::{self, Choice, Cluster, Problems, Request, lease, sweep};
use console::exit::Exit;
use console::interrupt::Interrupt;
use process::{Launcher, quote};

/// First part of the ids of what this command starts.
const PREFIX: &str = "up-";
/// How long a cluster that is taken down may take.
const DOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What to do.
#[derive(Subcommand)]
enum What {
    /// Start a cluster, print how to reach it, and keep it until Ctrl-C or `cargo xtask cluster down`
    Up {
        /// Load this image archive, any number of times
        #[arg(long = "image", value_name = "ARCHIVE")]
        images: Vec<PathBuf>,
    },
    /// Take down every cluster that `up` started, and every embedded one that a run kept
    Down,
}

/// Runs it.
///
/// # Errors
/// Where the cluster can't be started, loaded or taken down.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Up { images } => up(&images).await,
        What::Down => down().await,
    }
}

async fn up(images: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let archives: Vec<_> = images.iter().map(|path| images::check(path)).collect::<anyhow::Result<_>>()?;
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

/// Whether a process waits for nothing but to be told to end: one of `up`, or of a run that kept its cluster.
fn stays(record: &lease::Record) -> bool {
    let embedded = |resource: &lease::Resource| matches!(resource, lease::Resource::EmbeddedCluster(_));
    record.run_id.starts_with(PREFIX) || (record.kept && record.resources.iter().any(embedded))
}

async fn down() -> anyhow::Result<ExitCode> {
    let leases = lease::folder()?;
    let ours = |run: &sweep::Run| stays(&run.record) && lease::is_running(&run.record.owner);
    let running: Vec<_> = sweep::runs(&leases)?.into_iter().filter(ours).collect();
    if running.is_empty() {
        console::out("no cluster runs");
    }
    for run in running {
        let pid = Pid::from_raw(run.record.owner.pid).context("a lease without a process")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("asking process {} to end", run.record.owner.pid))?;
        let gone = async {
            while lease::is_running(&run.record.owner) {
                // Another process's end can't be watched without being its parent.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(DOWN_TIMEOUT, gone).await.is_err() {
            bail!(
                "{}: process {} is still there after {} s",
                run.record.run_id,
                run.record.owner.pid,
                DOWN_TIMEOUT.as_secs()
            );
        }
        console::out(format_args!("{} is down", run.record.run_id));
    }
    Ok(Exit::Passed.into())
}
