//! `cargo xtask bench suites`: what all suites side by side on one cluster take, against the longest of them alone.

use std::process::ExitCode;

use anyhow::Context;

use super::{BenchRun, seconds, show};
use crate::cmd::ranges;
use console::exit::Exit;
use suite::load;

/// How much longer than the longest one all together may take.
const RATIO_BUDGET: f64 = 2.5;

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = ranges::count())]
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
    let suites = load::all().context("the suites below helm/")?;
    let run = BenchRun::prepare(args.verbose).await?;
    let mut longest = 0.0_f64;
    for suite in &suites {
        let name = suite.display().to_string();
        let alone = seconds(args.runs, async || run.e2e(&name, &[]).await).await?;
        show(&name, &alone, "s");
        longest = longest.max(alone.median);
    }
    let together = seconds(args.runs, async || run.e2e("all", &[]).await).await?;
    show("all of them side by side", &together, "s");
    let ratio = together.median / longest;
    let verdict = if ratio <= RATIO_BUDGET { "kept" } else { "exceeded" };
    console::out(format_args!("{:<40} {ratio:.2}; budget {RATIO_BUDGET}: {verdict}", "against the longest one"));
    Ok(Exit::Passed.into())
}
