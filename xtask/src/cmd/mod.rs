//! The subcommands, one file each.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

pub mod bench;
pub mod check;
pub mod cluster;
pub mod dist;
pub mod e2e;
mod examples;
pub mod helm_test;
pub mod image;
pub mod init;
mod preflight;
mod ranges;
pub mod report;
pub mod template;
pub mod tools;

/// The subcommands of `cargo xtask`.
#[derive(Subcommand)]
pub enum Command {
    /// Run the cases of suites on a cluster: install, check, inject faults, upgrade, uninstall
    #[command(after_help = examples::E2E)]
    E2e(Box<e2e::Args>),
    /// Write a first suite file for a chart
    #[command(after_help = examples::INIT)]
    Init(init::Args),
    /// Lint charts with each of their ci/*.yaml; needs no cluster
    Lint(lint::Args),
    /// Render a suite's chart to stdout; needs no cluster
    Template(template::Args),
    /// Run `helm test` on a deployed release, and print the logs of its test pods
    HelmTest(helm_test::Args),
    /// List the external tools that a run uses, with version and path
    Tools(tools::Args),
    /// Build the image archive of a suite's stand-in
    Image(image::Args),
    /// Start and stop embedded clusters; list and delete what earlier runs left behind
    Cluster(cluster::Args),
    /// Write a run's HTML report again, from the run's folder
    Report(report::Args),
    /// Check a saved history of client operations again; needs no cluster
    #[command(after_help = examples::CHECK)]
    Check(check::Args),
    /// Pack this build as a release archive, with its hash
    #[command(hide = true)]
    Dist(dist::Args),
    /// Measure speed and memory on this machine
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// Runs a subcommand.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the async runtime")?;
    runtime.block_on(async {
        match command {
            Command::E2e(args) => e2e::run(*args).await,
            Command::Init(args) => init::run(args).await,
            Command::Lint(args) => lint::run(args).await,
            Command::Template(args) => template::run(args).await,
            Command::HelmTest(args) => helm_test::run(args).await,
            Command::Tools(args) => tools::run(args).await,
            Command::Image(args) => image::run(args).await,
            Command::Cluster(args) => cluster::run(args).await,
            Command::Report(args) => report::run(&args),
            Command::Check(args) => check::run(args).await,
            Command::Dist(args) => dist::run(args).await,
            Command::Bench(bench) => bench::run(bench).await,
        }
    })
}
