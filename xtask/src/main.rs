//! The `cargo xtask` command.

use std::process::ExitCode;

use clap::Parser;
use console::exit;
use xtask::cmd::{self, Command};

/// Tests Helm charts end to end on kind or an embedded cluster.
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
