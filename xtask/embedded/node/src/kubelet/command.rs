//! Commands of probes and hooks, run in a container.

use std::collections::BTreeMap;
use std::time::Duration;

use runtime::{Container, ExecOutput, ExecSpec};
use tokio::io::AsyncReadExt;

/// How much of a command's output is kept, as in kubelet, for events.
const OUTPUT_BYTES_MAX: u64 = 10 << 10;

/// How a command ended.
pub(super) enum CommandOutcome {
    /// It ended: exit code, and standard output followed by standard error.
    Ended(i32, String),
    /// It exceeded its time limit and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted(String),
}

/// Runs a command to its end.
pub(super) async fn run(container: &Container, argv: &[String], timeout: Option<Duration>) -> CommandOutcome {
    let spec = ExecSpec { argv: argv.to_vec(), env: BTreeMap::new(), tty: false, stdin: false };
    let mut exec = match container.exec(spec).await {
        Ok(exec) => exec,
        Err(error) => return CommandOutcome::NotStarted(error.to_string()),
    };
    let (stdout, stderr) = (exec.stdout.take(), exec.stderr.take());
    let ended = async {
        let (code, stdout, stderr) = tokio::join!(exec.wait(), read(stdout), read(stderr));
        CommandOutcome::Ended(code, stdout + &stderr)
    };
    let Some(timeout) = timeout else { return ended.await };
    let outcome = tokio::time::timeout(timeout, ended).await;
    outcome.unwrap_or_else(|_| {
        exec.kill();
        CommandOutcome::TimedOut
    })
}

async fn read(output: Option<ExecOutput>) -> String {
    let Some(mut output) = output else { return String::new() };
    let mut kept = Vec::new();
    // An error at the end of the output must not discard what was already read.
    let _ = (&mut output).take(OUTPUT_BYTES_MAX).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}
