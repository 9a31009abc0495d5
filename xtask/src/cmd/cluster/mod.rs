//! `cargo xtask cluster`: clusters that outlive a run.

mod down;
mod left;
mod list;
mod sweep;
mod up;

use std::process::ExitCode;

use clap::Subcommand;

use super::examples;

/// The flags of `cargo xtask cluster`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands of `cargo xtask cluster`.
#[derive(Subcommand)]
enum Command {
    /// Start an embedded cluster for helm and kubectl; it runs until Ctrl-C or `cluster down`
    #[command(after_help = examples::CLUSTER_UP)]
    Up(up::Args),
    /// Stop all embedded clusters that `cluster up` started or a run kept
    Down,
    /// List clusters and namespaces that earlier runs left behind
    List(left::Args),
    /// Delete what `cluster list` shows, including kept clusters, unless it is in use
    Sweep(left::Args),
}

/// Runs `cargo xtask cluster`.
///
/// # Errors
/// If a cluster can't be started, loaded or stopped, or the leases can't be read.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Up(args) => up::run(args).await,
        Command::Down => down::run().await,
        Command::List(args) => list::run(&args).await,
        Command::Sweep(args) => sweep::run(&args).await,
    }
}
