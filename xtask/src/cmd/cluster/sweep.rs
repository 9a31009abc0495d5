//! `cargo xtask cluster sweep`: deletes what earlier runs left behind, and lists what remains.

use std::process::ExitCode;

use super::left::{self, Args};
use cluster::{lease, namespaces, sweep};
use console::exit::Exit;

/// Runs `cargo xtask cluster sweep`.
///
/// # Errors
/// If the leases can't be read. If something can't be deleted, the exit code is 3 after everything was tried.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (launcher, client) = (args.launcher(), left::client(args).await?);
    let mut lines = sweep::sweep(&launcher, &lease::folder()?, true).await?;
    if let Some(client) = &client {
        lines.extend(namespaces::sweep(client, true).await?);
    }
    let is_all_swept = lines.iter().all(|line| line.starts_with("swept"));
    for line in lines {
        console::out(line);
    }
    left::print(&launcher, client.as_ref()).await?;
    Ok(if is_all_swept { Exit::Passed } else { Exit::Environment }.into())
}
