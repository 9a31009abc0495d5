//! `cargo xtask bench`: measurements, one file each, and what they share: how often, which numbers, which machine.

use std::process::ExitCode;
use std::time::Instant;

use clap::Subcommand;

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

/// What can be measured.
#[derive(Subcommand)]
pub enum Bench {
    /// The whole run, and what the same steps take one after another
    E2e(e2e::Args),
    /// The embedded cluster against its budgets of time and memory
    Embedded(embedded::Args),
    /// What reports cost a run in CPU time and memory
    Reports(reports::Args),
    /// How long 100,000 operations take to be judged
    Check(check::Args),
    /// Whole runs without a fault, one after another, every second one with another core busy
    Soak(soak::Args),
    /// All suites side by side against the longest of them alone
    Suites(suites::Args),
}

/// Measures.
///
/// # Errors
/// Where what is measured fails: no number comes of a broken run.
pub async fn run(bench: Bench) -> anyhow::Result<ExitCode> {
    println!("{}", machine());
    match bench {
        Bench::E2e(args) => e2e::run(args).await,
        Bench::Embedded(args) => embedded::run(args).await,
        Bench::Reports(args) => reports::run(args).await,
        Bench::Check(args) => check::run(args).await,
        Bench::Soak(args) => soak::run(args).await,
        Bench::Suites(args) => suites::run(args).await,
    }
}

/// Does something `times` times and answers how many seconds it took.
///
/// # Errors
/// The first error of what is done.
pub async fn seconds(times: usize, mut action: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<Spread> {
    let mut taken = Vec::new();
    for _ in 0..times.max(1) {
        let started = Instant::now();
        action().await?;
        taken.push(started.elapsed().as_secs_f64());
    }
    Ok(Spread::of(taken))
}

/// Prints a measurement: a name, its numbers, their unit.
pub fn show(name: &str, spread: &Spread, unit: &str) {
    println!("{name:<40} {spread} {unit}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn something_is_done_as_often_as_asked_and_an_error_ends_it() {
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
