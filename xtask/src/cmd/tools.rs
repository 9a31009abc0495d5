//! `cargo xtask tools`: lists the tools that a run would use, and their sources.

use std::process::ExitCode;

use console::exit::Exit;
use process::Launcher;
use tools::{self, Name, pins};

/// The flags of `cargo xtask tools`.
#[derive(clap::Args)]
pub struct Args {
    /// Also fail if kind or docker is missing; only `--cluster kind` needs them
    #[arg(long)]
    all: bool,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask tools`.
///
/// # Errors
/// None. If a tool is missing, the exit code is 3 after all tools were listed.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let mut missing = false;
    for name in [Name::Helm, Name::Kubectl, Name::Kind, Name::Docker] {
        let needed = args.all || matches!(name, Name::Helm | Name::Kubectl);
        let line = match tools::resolve(&launcher, name).await {
            Ok(tool) => format!("v{:<8} {}  ({})", tool.version.to_string(), tool.path.display(), tool.source),
            Err(error) => {
                missing |= needed;
                let state = if needed { "missing" } else { "missing (only `--cluster kind` needs it)" };
                format!("{state}: {error}")
            }
        };
        console::out(format_args!("{:<8} {line}", name.to_string()));
        if let Some(pin) = pins::pinned(name) {
            let accepted = tools::accepted(name).words;
            console::out(format_args!("         pinned v{}; from PATH: {accepted}", pin.version));
        }
    }
    console::out(format_args!("node     {}", pins::node_image()));
    Ok(if missing { Exit::Environment } else { Exit::Passed }.into())
}
