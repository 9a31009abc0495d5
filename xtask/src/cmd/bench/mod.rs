//! `cargo xtask bench`: benchmarks, one file each, and what they share.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Subcommand;

use process::Launcher;

pub mod check;
pub mod e2e;
pub mod embedded;
mod machine;
pub mod reports;
pub mod soak;
mod spread;
pub mod suites;

pub use machine::machine;
pub use spread::Spread;

/// The time limit for a run of all suites, with a wide margin.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// The benchmarks.
#[derive(Subcommand)]
pub enum Bench {
    /// Compare a whole run with the same steps in a plain shell script
    E2e(e2e::Args),
    /// Compare the embedded cluster with its budgets of time and memory
    Embedded(embedded::Args),
    /// Measure what reports cost a run in CPU time and memory
    Reports(reports::Args),
    /// Measure how long it takes to judge 100,000 operations
    Check(check::Args),
    /// Repeat whole runs to find false alarms, every second one with one core busy
    Soak(soak::Args),
    /// Compare all suites in parallel with the longest of them alone
    Suites(suites::Args),
}

/// Runs a benchmark.
///
/// # Errors
/// If the measured action fails: a failed run has no number.
pub async fn run(bench: Bench) -> anyhow::Result<ExitCode> {
    console::out(format_args!("{}", machine()));
    match bench {
        Bench::E2e(args) => e2e::run(args).await,
        Bench::Embedded(args) => embedded::run(args).await,
        Bench::Reports(args) => reports::run(args).await,
        Bench::Check(args) => check::run(args).await,
        Bench::Soak(args) => soak::run(args).await,
        Bench::Suites(args) => suites::run(args).await,
    }
}

/// Runs an action `times` times, and returns how many seconds it took.
///
/// # Errors
/// The first error of the action.
pub async fn seconds(times: usize, mut action: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<Spread> {
    let mut taken = Vec::new();
    for _ in 0..times.max(1) {
        let started = Instant::now();
        action().await?;
        taken.push(started.elapsed().as_secs_f64());
    }
    Ok(Spread::of(taken))
}

/// Prints a measurement and the budget for its median.
pub fn against(name: &str, spread: &Spread, unit: &str, budget: f64) {
    show(name, spread, unit);
    let verdict = if spread.median <= budget { "kept" } else { "exceeded" };
    console::out(format_args!("{:<40} {budget:.2} {unit}: {verdict}", "  budget"));
}

/// Starts runs of this program on the embedded cluster.
pub struct BenchRun {
    launcher: Launcher,
    xtask: PathBuf,
    /// The program of the embedded cluster.
    node: PathBuf,
}

impl BenchRun {
    /// Builds the stand-in's image and the node, so that they don't count as part of a run.
    ///
    /// # Errors
    /// If a build fails.
    pub async fn prepare(verbose: bool) -> anyhow::Result<Self> {
        let (launcher, xtask) = (Launcher::light(verbose), std::env::current_exe().context("the running program")?);
        launcher.cmd(&xtask).arg("image").timeout(TIMEOUT).run().await?;
        let node = cluster::node_program(&launcher).await?;
        Ok(Self { launcher, xtask, node })
    }

    /// Runs a suite to its end.
    ///
    /// # Errors
    /// If the run fails.
    pub async fn e2e(&self, suite: &str, more: &[&str]) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let command =
            self.launcher.cmd(&self.xtask).args(["e2e", "--cluster", "embedded", "--suite", suite]).args(more);
        command.arg("--report-dir").arg(folder.path()).timeout(TIMEOUT).run().await?;
        Ok(())
    }
}

/// Prints a measurement: a name, its numbers, their unit.
pub fn show(name: &str, spread: &Spread, unit: &str) {
    console::out(format_args!("{name:<40} {spread} {unit}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_action_is_repeated_until_it_fails() {
        let mut done = 0;
        let spread = seconds(3, async || {
            done += 1;
            Ok(())
        });
        assert_eq!((spread.await.unwrap().count, done), (3, 3));
        let error = seconds(3, async || anyhow::bail!("broken")).await.unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
}
