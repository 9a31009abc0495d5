//! The `cargo xtask` command.

use std::process::ExitCode;

use clap::Parser;
use console::exit;
use xtask::cmd::{self, Command};

/// Proves a Helm chart on a cluster: deploys it, asks it, kills it, and checks that nothing
/// acknowledged was lost.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cmd::run(cli.command) {
        Ok(code) => exit::printed(code),
        Err(error) => exit::report(&error),
    }
}
