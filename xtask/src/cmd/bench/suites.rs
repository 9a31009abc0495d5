//! `cargo xtask bench suites`: compares all suites in parallel on one cluster with the longest of them alone.

use std::process::ExitCode;

use anyhow::Context;

use super::{BenchRun, seconds, show};
use crate::cmd::ranges;
use console::exit::Exit;
use suite::load;

/// The budget for the time of all suites together, relative to the longest one alone.
const RATIO_BUDGET: f64 = 2.5;

/// The flags of `cargo xtask bench suites`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of measurements of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = ranges::count())]
    runs: usize,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask bench suites`.
///
/// # Errors
/// If a run fails.
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
    show("all suites in parallel", &together, "s");
    let ratio = together.median / longest;
    let verdict = if ratio <= RATIO_BUDGET { "kept" } else { "exceeded" };
    console::out(format_args!("{:<40} {ratio:.2}; budget {RATIO_BUDGET}: {verdict}", "relative to the longest one"));
    Ok(Exit::Passed.into())
}
