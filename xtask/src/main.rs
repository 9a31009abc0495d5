//! The `cargo xtask` command.

use std::process::ExitCode;

use clap::Parser;
use console::exit;
use xtask::cmd::{self, Command};

/// Tests Helm charts end to end on kind or an embedded cluster
///
/// It installs a chart, injects faults while clients read and write, and checks that no acknowledged write is lost. Start
/// with `cargo xtask init CHART`, which writes a first suite file, and `cargo xtask e2e --suite CHART`, which runs its
/// cases.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
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
