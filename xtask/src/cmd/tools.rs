//! `cargo xtask tools`: which tools a run would use, and where they come from.

use std::process::ExitCode;

use console::exit::Exit;
use process::Launcher;
use tools::{self, Name, pins};

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// Also show what only a cluster in Docker needs as missing (kind, docker)
    #[arg(long)]
    all: bool,
    /// Show every command line
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
///
/// # Errors
/// None: a tool that is missing is exit code 3, after all of them were shown.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let mut missing = false;
    for name in [Name::Helm, Name::Kubectl, Name::Kind, Name::Docker] {
        let needed = args.all || matches!(name, Name::Helm | Name::Kubectl);
        let line = match tools::resolve(&launcher, name).await {
            Ok(tool) => format!("v{:<8} {}  ({})", tool.version.to_string(), tool.path.display(), tool.source),
            Err(error) => {
                missing |= needed;
                let weight = if needed { "missing" } else { "missing (only `--cluster kind` needs it)" };
                format!("{weight}: {error}")
            }
        };
        console::out(format_args!("{:<8} {line}", name.to_string()));
        if let Some(pin) = pins::pinned(name) {
            let accepted = tools::accepted(name).words;
            console::out(format_args!("         pinned v{}; {accepted} is taken from PATH", pin.version));
        }
    }
    console::out(format_args!("node     {}", pins::node_image()));
    Ok(if missing { Exit::Environment } else { Exit::Passed }.into())
}
