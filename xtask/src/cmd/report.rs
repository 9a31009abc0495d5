//! `cargo xtask report`: writes the HTML report of a run again from its folder, also of one that was killed.

use std::path::PathBuf;
use std::process::ExitCode;

use console::exit::{Exit, usage};

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// The run's folder: target/chartproof/RUN
    folder: PathBuf,
}

/// Runs it.
///
/// # Errors
/// Where the folder holds no run, or can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let events = report::json::read(&args.folder.join("events.jsonl")).map_err(|error| usage(format!("{error:#}")))?;
    report::write_html(&args.folder, &events)?;
    console::out(args.folder.join("report.html").display());
    Ok(Exit::Passed.into())
}
