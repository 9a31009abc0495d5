//! `cargo xtask check`: checks a saved history again, without a cluster.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use history::Verdict;

use console::exit::{Exit, usage};

/// The flags of `cargo xtask check`.
#[derive(clap::Args)]
pub struct Args {
    /// History file, from the folder `histories/` of a run; see docs/history.md for the format
    file: PathBuf,
    /// Print all findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `cargo xtask check`. The exit code is 101 if a property does not hold.
///
/// # Errors
/// A usage error with line and reason if the file is not a history.
#[expect(clippy::unused_async, reason = "every subcommand is run the same way")]
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = File::open(&args.file).map_err(|error| usage(format!("{}: {error}", args.file.display())))?;
    let history = history::file::read(BufReader::new(file))
        .map_err(|error| usage(format!("{}: {error:#}", args.file.display())))?;
    let judgement = history::judge(&history);
    if args.json {
        console::out(format_args!("{}", serde_json::to_string_pretty(&judgement).context("writing the judgement")?));
    } else {
        for (property, verdict) in &judgement.verdicts {
            console::out(format_args!("{property}: {}", short(verdict)));
        }
        history::failures(&history, &judgement).iter().for_each(console::out);
    }
    let exit = if judgement.holds() { Exit::Passed } else { Exit::CaseFailed };
    Ok(exit.into())
}

/// The verdict without its findings; `--json` lists them all.
fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Violated(findings) => format!("violated ({} findings)", findings.len()),
        Verdict::Holds | Verdict::Undecided(_) => verdict.to_string(),
    }
}
