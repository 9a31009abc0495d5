//! `cargo xtask cluster list`: lists what earlier runs left behind.

use std::process::ExitCode;

use super::left::{self, Args};
use console::exit::Exit;

/// Runs `cargo xtask cluster list`.
///
/// # Errors
/// If the leases or the named cluster can't be read.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    left::print(&args.launcher(), left::client(args).await?.as_ref()).await?;
    Ok(Exit::Passed.into())
}
