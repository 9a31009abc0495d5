//! `cargo xtask helm-test`.

use std::process::ExitCode;

/// Its flags.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
#[expect(clippy::unused_async, reason = "not written yet")]
pub async fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`cargo xtask helm-test` is not written yet")
}
