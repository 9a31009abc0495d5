//! `cargo xtask cluster`: clusters that outlive a run.

mod down;
mod left;
mod list;
mod sweep;
mod up;

use std::process::ExitCode;

use clap::Subcommand;

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand)]
enum Command {
    /// Start an embedded cluster, print how to reach it, and keep it until Ctrl-C or `cargo xtask cluster down`
    Up(up::Args),
    /// Stop every cluster that `up` started, and every embedded cluster that a run kept
    Down,
    /// List what earlier runs left behind
    List(left::Args),
    /// Delete what earlier runs left behind and no living run needs, also what was kept on purpose
    Sweep(left::Args),
}

/// Runs it.
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
