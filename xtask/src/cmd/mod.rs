//! The subcommands, one file each.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

pub mod bench;
pub mod check;
pub mod cluster;
pub mod e2e;
pub mod helm_test;
pub mod image;
pub mod init;
pub mod lint;
mod ranges;
pub mod report;
pub mod template;
pub mod tools;

/// What `cargo xtask` can do.
#[derive(Subcommand)]
pub enum Command {
    /// Prove a chart: deploy it, ask it, kill it, check that nothing acknowledged was lost
    E2e(Box<e2e::Args>),
    /// Write a first suite file for a chart, from what it renders
    Init(init::Args),
    /// Lint the chart with each of its `ci/*.yaml`; needs no cluster
    Lint(lint::Args),
    /// Render the chart to stdout; needs no cluster
    Template(template::Args),
    /// Run `helm test` against a release that runs already, showing the test pods' logs
    HelmTest(helm_test::Args),
    /// Show the tools that are used: found, pinned, fetched
    Tools(tools::Args),
    /// Build the stand-in's image archive
    Image(image::Args),
    /// Start and stop embedded clusters for helm and kubectl; list and delete what earlier runs left behind
    Cluster(cluster::Args),
    /// Write the HTML report of a run again from its folder
    Report(report::Args),
    /// Judge a saved history of client operations again, without a cluster
    Check(check::Args),
    /// Measure, and say on which machine
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
            Command::Bench(bench) => bench::run(bench).await,
        }
    })
}
