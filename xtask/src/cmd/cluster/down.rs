//! `cargo xtask cluster down`: stops every cluster that `up` started, and every embedded cluster that a run kept.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::up;
use cluster::{lease, sweep};
use console::exit::Exit;

/// The time limit for stopping a cluster.
const DOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether a process only waits for a signal: one of `up`, or of a run that kept its cluster.
fn stays(record: &lease::LeaseRecord) -> bool {
    let embedded = |resource: &lease::Resource| matches!(resource, lease::Resource::EmbeddedCluster(_));
    record.run_id.starts_with(up::PREFIX) || (record.kept && record.resources.iter().any(embedded))
}

/// Runs `cargo xtask cluster down`.
///
/// # Errors
/// If a process doesn't end in time.
pub async fn run() -> anyhow::Result<ExitCode> {
    let leases = lease::folder()?;
    let ours = |run: &sweep::LeasedRun| stays(&run.record) && lease::is_running(&run.record.owner);
    let running: Vec<_> = sweep::runs(&leases)?.into_iter().filter(ours).collect();
    if running.is_empty() {
        console::out("no cluster is running");
    }
    for run in running {
        let pid = Pid::from_raw(run.record.owner.pid).context("a lease without a process")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("stopping process {}", run.record.owner.pid))?;
        let gone = async {
            while lease::is_running(&run.record.owner) {
                // Only the parent of a process can wait for its end.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(DOWN_TIMEOUT, gone).await.is_err() {
            bail!(
                "{}: process {} still runs after {} s",
                run.record.run_id,
                run.record.owner.pid,
                DOWN_TIMEOUT.as_secs()
            );
        }
        console::out(format_args!("stopped {}", run.record.run_id));
    }
    Ok(Exit::Passed.into())
}
