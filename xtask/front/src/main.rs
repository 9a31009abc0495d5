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
    let error = Command::new(&cargo).args(["run", "--bin", "chartproof", "--"]).args(args).exec();
    Err(error).with_context(|| format!("starting {}", cargo.display()))
}
