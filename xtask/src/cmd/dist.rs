//! `cargo xtask dist`: packs this build as a release archive, beside a file with its hash.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use console::exit::Exit;
use process::Launcher;
use tools::{pins, sha256_of_file};

const LICENSE: &str = include_str!("../../../LICENSE");

/// The flags of `cargo xtask dist`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder for the archive and its hash
    #[arg(short, long, value_name = "FOLDER", default_value = "dist")]
    output: PathBuf,
    /// Client in the cluster, for a build that is not for Linux: a chartproof for the nodes' platform
    #[arg(long, value_name = "PROGRAM")]
    client: Option<PathBuf>,
}

/// Runs `cargo xtask dist`.
///
/// # Errors
/// If a program is missing, or the archive can't be written.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let name = format!("chartproof-{}-{}", env!("CARGO_PKG_VERSION"), pins::platform());
    let stage = tempfile::tempdir()?;
    let content = stage.path().join(&name);
    std::fs::create_dir(&content)?;
    std::fs::write(content.join("LICENSE"), LICENSE)?;
    for (program, from) in programs(args.client)? {
        std::fs::copy(&from, content.join(program)).with_context(|| format!("copying {}", from.display()))?;
    }
    std::fs::create_dir_all(&args.output).with_context(|| format!("creating {}", args.output.display()))?;
    let archive = args.output.join(format!("{name}.tar.gz"));
    let tar = Launcher::light(false).cmd("tar").arg("-czf").arg(&archive).arg("-C").arg(stage.path()).arg(&name);
    tar.run().await?;
    let hash = format!("{}  {name}.tar.gz\n", sha256_of_file(&archive)?);
    let hashed = args.output.join(format!("{name}.tar.gz.sha256"));
    std::fs::write(&hashed, &hash).with_context(|| format!("writing {}", hashed.display()))?;
    console::out_text(&hash);
    Ok(Exit::Passed.into())
}

/// Returns the programs of a release, by name: this one, and what it needs beside itself on this platform.
fn programs(client: Option<PathBuf>) -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    let this = std::env::current_exe().context("finding this program")?;
    let node = this.with_file_name("embedded-node");
    let beside = match client {
        Some(client) => ("chartproof-client", existing(client, "build it on Linux")?),
        None if cfg!(target_os = "linux") => ("embedded-node", existing(node, "build it with the same profile")?),
        None => bail!("the client in the cluster is missing: pass --client with a chartproof that was built on Linux"),
    };
    Ok(vec![("chartproof", this), beside])
}

fn existing(program: PathBuf, fix: &str) -> anyhow::Result<PathBuf> {
    if !program.is_file() {
        bail!("{} is missing: {fix}", program.display());
    }
    Ok(program)
}
