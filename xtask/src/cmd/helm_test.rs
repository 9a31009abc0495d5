//! `cargo xtask helm-test`: runs the chart tests of a deployed release, and shows their logs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::ranges;
use cluster::kubeconfig;
use console::exit::{Exit, usage};
use process::Launcher;
use tools::helm;
use tools::{self, Name};

/// Time for helm to report what it waited for, before its process is stopped.
const MARGIN: Duration = Duration::from_secs(5);

/// The flags of `cargo xtask helm-test`.
#[derive(clap::Args)]
pub struct Args {
    /// Release to test
    #[arg(default_value = "caesium")]
    release: String,
    /// Kubeconfig context; the current context is never used
    #[arg(long, value_name = "NAME")]
    context: String,
    /// Namespace of the release
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Kubeconfig with this context [default: kubectl's]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Time limit for the tests
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = ranges::seconds())]
    timeout: u64,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask helm-test`.
///
/// # Errors
/// If helm is missing or can't be run. If a test fails, or the release has none, the exit code is 101 and the logs are
/// printed.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let folder = tempfile::tempdir().context("creating a folder for the kubeconfig")?;
    let own = folder.path().join("kubeconfig");
    kubeconfig::copy(&args.context, args.kubeconfig.as_ref(), &own)
        .map_err(|error| usage(format!("--context {}: {error:#}", args.context)))?;
    let cmd = launcher.cmd(&helm.path).args(["test", &args.release, "--logs", "--kubeconfig"]).arg(&own);
    let cmd = cmd.args(["--kube-context", &args.context, "--namespace", &args.namespace]);
    let cmd = cmd.arg("--timeout").arg(format!("{}s", args.timeout));
    let output = cmd.timeout(Duration::from_secs(args.timeout) + MARGIN).output().await?;
    console::out_text(&output.stdout);
    if output.success() && helm::tests_run(&output.stdout).is_empty() {
        console::err(format_args!(
            "release {} has no tests; add a pod with the annotation `helm.sh/hook: test` to the chart",
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
