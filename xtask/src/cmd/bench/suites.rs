//! `cargo xtask bench suites`: what all suites side by side on one cluster take, against the longest of them alone.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::{seconds, show};
use crate::exit::Exit;
use crate::process::Launcher;
use crate::suite::load;

/// Far more than all suites take.
const TIMEOUT: Duration = Duration::from_secs(1800);
/// How much longer than the longest one all together may take.
const RATIO_BUDGET: f64 = 2.5;

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Show every command line
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
///
/// # Errors
/// Where a run is not green.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (launcher, xtask) = (Launcher::light(args.verbose), std::env::current_exe().context("the running program")?);
    let suites = load::all().context("the suites below helm/")?;
    // What is built and packed once is no part of the runs.
    launcher.cmd(&xtask).arg("image").timeout(TIMEOUT).run().await?;
    let e2e = async |suite: &str| -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let command = launcher.cmd(&xtask).args(["e2e", "--cluster", "embedded", "--suite", suite]);
        command.arg("--report-dir").arg(folder.path()).timeout(TIMEOUT).run().await?;
        Ok(())
    };
    let mut longest = 0.0_f64;
    for suite in &suites {
        let name = suite.display().to_string();
        let alone = seconds(args.runs, async || e2e(&name).await).await?;
        show(&name, &alone, "s");
        longest = longest.max(alone.median);
    }
    let together = seconds(args.runs, async || e2e("all").await).await?;
    show("all of them side by side", &together, "s");
    let ratio = together.median / longest;
    let verdict = if ratio <= RATIO_BUDGET { "kept" } else { "exceeded" };
    println!("{:<40} {ratio:.2}; budget {RATIO_BUDGET}: {verdict}", "against the longest one");
    Ok(Exit::Passed.into())
}
