//! `cargo xtask image`: builds the stand-in's image archive.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use console::exit::{self, Exit};
use images::{Reference, standin};
use process::Launcher;

/// The flags of `cargo xtask image`.
#[derive(clap::Args)]
pub struct Args {
    /// Write the archive to this file [default: below cargo's target folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name of the image; can be repeated
    #[arg(long = "tag", value_name = "NAME:TAG", default_value = "chartproof/stand-in:dev")]
    tags: Vec<String>,
    /// Suite file, or folder with an e2e.toml, whose stand-in is built
    #[arg(long, value_name = "PATH", default_value = suite::load::DEFAULT)]
    suite: PathBuf,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask image`.
///
/// # Errors
/// If a tag is malformed, or the suite has no stand-in, or it can't be built.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let parse = |tag: &String| tag.parse().map_err(|error| exit::usage(format!("--tag {tag}: {error}")));
    let references: Vec<Reference> = args.tags.iter().map(parse).collect::<anyhow::Result<_>>()?;
    let suite = suite::load::read(&args.suite, &crate::cases::kinds())?;
    let Some(program) = suite.images.iter().find_map(|image| image.stand_in.as_ref()) else {
        return Err(exit::usage(format!("{} has no stand-in: add `stand_in` to its `[image]`", args.suite.display())));
    };
    let archive = standin::build(&Launcher::light(args.verbose), program, &references).await?;
    let path = match args.output {
        None => archive.path,
        Some(output) => {
            let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
            let copy =
                || folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::copy(&archive.path, &output));
            copy().with_context(|| format!("writing {}", output.display()))?;
            output
        }
    };
    console::out(path.display());
    Ok(Exit::Passed.into())
}
