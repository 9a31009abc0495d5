//! `cargo xtask cluster`: clusters that outlive a run.

mod down;
mod left;
mod list;
mod sweep;
mod up;

use std::process::ExitCode;

use clap::Subcommand;

/// The flags of `cargo xtask cluster`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands of `cargo xtask cluster`.
#[derive(Subcommand)]
enum Command {
    /// Start an embedded cluster for helm and kubectl; it stays until Ctrl-C or `cargo xtask cluster down`
    Up(up::Args),
    /// Stop all clusters started with `up`, and embedded clusters kept by a run
    Down,
    /// List clusters and namespaces that earlier runs left behind
    List(left::Args),
    /// Delete what `list` shows, including what was kept on purpose, unless a running process uses it
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
