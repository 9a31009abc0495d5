//! The command `cargo xtask`, or `chartproof` if it is installed.

use std::process::ExitCode;

use clap::builder::{Resettable, StyledStr};
use clap::{Command, CommandFactory, FromArgMatches, Parser};
use console::{exit, program};
use xtask::cmd;

/// Tests Helm charts end to end on kind or an embedded cluster
///
/// It installs a chart, injects faults while clients read and write, and checks that no acknowledged write is lost. Start
/// with `cargo xtask init CHART`, which writes a first suite file, and `cargo xtask e2e --suite CHART`, which runs its
/// cases.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: cmd::Command,
}

fn main() -> ExitCode {
    // In the cluster, an installed harness is the client.
    let result = if client::program::is_asked() {
        client::program::run().map(|()| ExitCode::SUCCESS)
    } else {
        let name = program::command();
        let command = named(Cli::command(), name).name(name).bin_name(name);
        let cli = Cli::from_arg_matches(&command.get_matches());
        cmd::run(cli.unwrap_or_else(|error| error.exit()).command)
    };
    match result {
        Ok(code) => exit::printed(code),
        Err(error) => exit::report(&error),
    }
}

/// Returns the command, and its help, under the name by which users call it.
fn named(command: Command, name: &'static str) -> Command {
    let renamed = |text: Option<&StyledStr>| {
        let text = text.map(|text| text.to_string().replace("cargo xtask", name));
        Resettable::from(text.map(StyledStr::from))
    };
    let (long, after) = (renamed(command.get_long_about()), renamed(command.get_after_help()));
    let command = command.long_about(long).after_help(after).mut_args(|arg| {
        let help = renamed(arg.get_help());
        arg.help(help)
    });
    command.mut_subcommands(|subcommand| named(subcommand, name))
}
