//! `cargo xtask check`: judges a saved history again, without a cluster.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use history::Verdict;

use console::exit::{Exit, usage};

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// The history, as runs leave it under `histories/`; `docs/history.md` has the format
    file: PathBuf,
    /// Print the judgement as JSON
    #[arg(long)]
    json: bool,
}

/// Runs it. Exit code 101 where a property does not hold.
///
/// # Errors
/// A usage error where the file is no history, with line and reason.
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

/// The verdict without its findings; `--json` has them all.
fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Violated(findings) => format!("violated ({} findings)", findings.len()),
        Verdict::Holds | Verdict::Undecided(_) => verdict.to_string(),
    }
}
