//! `cargo xtask`: lints by itself, and has cargo run `chartproof` for everything else.
//!
//! It exists for those who only lint: they compile neither kube nor anything else that only a cluster needs.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Parser;
use console::exit;

/// Lint charts with each of their ci/*.yaml; needs no cluster
#[derive(Parser)]
#[command(name = "cargo xtask lint", bin_name = "cargo xtask lint", max_term_width = 100)]
struct Lint {
    #[command(flatten)]
    args: lint::Args,
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let result = if args.first().is_some_and(|first| first == "lint") { lint(args) } else { hand_over(args) };
    match result {
        Ok(code) => exit::printed(code),
        Err(error) => exit::report(&error),
    }
}

fn lint(args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let flags = Lint::parse_from(args);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the async runtime")?;
    runtime.block_on(lint::run(flags.args))
}

/// Becomes `cargo run --bin chartproof` with these arguments.
#[expect(clippy::disallowed_methods, reason = "it replaces this process, and starts none")]
fn hand_over(args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.args(["run", "--bin", "chartproof", "--"]).args(args);
    // Build scripts depend on the variables that cargo set for our own package: they would run again, and most
    // dependencies would be compiled again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_a_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    Err(command.exec()).with_context(|| format!("starting {}", cargo.display()))
}

/// Returns whether this is a variable that cargo sets for the package it runs.
fn is_of_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}
