//! `cargo xtask bench e2e`: the whole run.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::{seconds, show};
use crate::cluster::Choice;
use crate::exit::Exit;
use crate::process::Launcher;

/// Far more than a run takes.
const TIMEOUT: Duration = Duration::from_secs(1200);

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// The cluster: kind or embedded
    #[arg(long, value_name = "CLUSTER", default_value_t)]
    cluster: Choice,
    /// Show every command line
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
///
/// # Errors
/// Where a run is not green.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let xtask = std::env::current_exe().context("the path of the running program")?;
    let cluster = args.cluster.to_string();
    let whole = async || {
        launcher.cmd(&xtask).args(["e2e", "--cluster", &cluster]).timeout(TIMEOUT).run().await?;
        Ok(())
    };
    show("whole run", &seconds(args.runs, whole).await?, "s");
    Ok(Exit::Passed.into())
}
