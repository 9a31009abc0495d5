//! `cargo xtask helm-test`: runs a release's own tests on a cluster that is there, and shows their logs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::ranges;
use console::exit::Exit;
use process::Launcher;
use tools::helm;
use tools::{self, Name};

/// helm ends a little earlier than its command does, to say what it waited for.
const MARGIN: Duration = Duration::from_secs(5);

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// The release
    #[arg(default_value = "caesium")]
    release: String,
    /// The context of the cluster; none is taken by itself
    #[arg(long, value_name = "NAME")]
    context: String,
    /// The release's namespace
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// The kubeconfig that has the context [default: where kubectl looks]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How many seconds the tests may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = ranges::seconds())]
    timeout: u64,
    /// Show every command line
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
///
/// # Errors
/// Where there is no helm, or it can't be run. Tests that fail are exit code 101, with their logs, and so is a release
/// that has none.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let mut cmd = launcher.cmd(&helm.path).args(["test", &args.release, "--logs"]);
    cmd = cmd.args(["--kube-context", &args.context, "--namespace", &args.namespace]);
    if let Some(kubeconfig) = &args.kubeconfig {
        cmd = cmd.arg("--kubeconfig").arg(kubeconfig);
    }
    cmd = cmd.arg("--timeout").arg(format!("{}s", args.timeout));
    let output = cmd.timeout(Duration::from_secs(args.timeout) + MARGIN).output().await?;
    console::out_text(&output.stdout);
    if output.success() && helm::tests_run(&output.stdout).is_empty() {
        console::err(format_args!(
            "release {} has no test: nothing was proven; add a pod with the annotation `helm.sh/hook: test`",
            args.release
        ));
        return Ok(Exit::CaseFailed.into());
    }
    if output.success() {
        return Ok(Exit::Passed.into());
    }
    if !output.stdout.contains("TEST SUITE:") {
        return Err(output.into_error().into());
    }
    console::err(output.stderr.trim_end());
    Ok(Exit::CaseFailed.into())
}
