//! `cargo xtask report`: writes a run's HTML report again from its folder, even if the run was killed.

use std::path::PathBuf;
use std::process::ExitCode;

use console::exit::{Exit, usage};

/// The flags of `cargo xtask report`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the run, such as target/chartproof/RUN
    folder: PathBuf,
}

/// Runs `cargo xtask report`.
///
/// # Errors
/// If the folder is not that of a run, or can't be written to.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let events = report::json::read(&args.folder.join("events.jsonl")).map_err(|error| usage(format!("{error:#}")))?;
    report::write_html(&args.folder, &events)?;
    console::out(args.folder.join("report.html").display());
    Ok(Exit::Passed.into())
}
