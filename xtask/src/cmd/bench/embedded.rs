//! `cargo xtask bench embedded`: compares the embedded cluster with its budgets of time and memory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ::embedded::cluster::{Cluster, Faults, Options};

use super::{BenchRun, Spread, against, seconds};
use crate::cmd::ranges;
use console::exit::Exit;

const SUITE: &str = "helm/caesium";
/// The interval at which memory is measured.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const API_BUDGET_S: f64 = 1.0;
const R1_BUDGET_S: f64 = 15.0;
const SUITE_BUDGET_S: f64 = 90.0;
const MEMORY_BUDGET_MB: f64 = 300.0;

/// The flags of `cargo xtask bench embedded`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of measurements of each run; starts of a cluster are measured three times as often
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = ranges::count())]
    runs: usize,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask bench embedded`.
///
/// # Errors
/// If a cluster does not start or a run fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let run = BenchRun::prepare(args.verbose).await?;
    against("start until the API responds", &starts(&run.node, args.runs * 3).await?, "s", API_BUDGET_S);
    let r1 = seconds(args.runs, async || run.e2e(SUITE, &["--replicas", "1"]).await).await?;
    against("the suite's r1", &r1, "s", R1_BUDGET_S);
    let mut memory = Vec::new();
    let whole = async || {
        memory.push(most_memory(&run.node, run.e2e(SUITE, &[])).await?);
        Ok(())
    };
    let whole = seconds(args.runs, whole).await?;
    against("the whole suite", &whole, "s", SUITE_BUDGET_S);
    against("peak memory of the whole suite", &Spread::of(memory), "MB", MEMORY_BUDGET_MB);
    Ok(Exit::Passed.into())
}

/// Measures how long a cluster takes to start until its API responds, in seconds.
async fn starts(program: &Path, times: usize) -> anyhow::Result<Spread> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let folder = tempfile::tempdir()?;
        let options =
            Options { dir: folder.path().join("cluster"), program: program.into(), faults: Faults::default() };
        let started = Instant::now();
        let cluster = Cluster::start(options).await?;
        taken.push(started.elapsed().as_secs_f64());
        cluster.stop().await?;
    }
    Ok(Spread::of(taken))
}

/// Runs something and returns the peak memory of clusters meanwhile, in MB.
async fn most_memory(program: &Path, run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<f64> {
    let program = fs::metadata(program)?;
    let (mut run, mut looks) = (pin!(run), tokio::time::interval(LOOK_EVERY));
    let mut most: u64 = 0;
    loop {
        tokio::select! {
            done = &mut run => return done.map(|()| f64::from(u32::try_from(most).unwrap_or(u32::MAX)) / 1000.0),
            _ = looks.tick() => most = most.max(memory_kb(&program)),
        }
    }
}

/// Returns the memory of all processes of this program: the node, and the process that holds each pod and container.
/// The programs in the containers don't count.
fn memory_kb(program: &fs::Metadata) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_ours = |process: &Path| {
        fs::metadata(process.join("exe")).is_ok_and(|exe| (exe.dev(), exe.ino()) == (program.dev(), program.ino()))
    };
    let clusters = processes.filter(|process| is_ours(process));
    clusters.filter_map(|process| proportional_kb(&fs::read_to_string(process.join("smaps_rollup")).ok()?)).sum()
}

/// Returns a process's memory, with its share of what several processes share.
fn proportional_kb(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_counts_proportionally() {
        let rollup = "55d0c0000000-7ffc rollup\nRss:  9000 kB\nPss:     1234 kB\nPss_Dirty:  1 kB\n";
        assert_eq!(proportional_kb(rollup), Some(1234));
        assert_eq!(proportional_kb("Rss: 1 kB\n"), None);
    }

    #[test]
    fn only_processes_of_the_program_count() {
        let own = fs::metadata("/proc/self/exe").unwrap();
        assert!(memory_kb(&own) > 0);
        assert_eq!(memory_kb(&fs::metadata("/proc/self/cmdline").unwrap()), 0);
    }

    #[tokio::test]
    async fn a_run_that_fails_has_no_number() {
        let own = std::env::current_exe().unwrap();
        let failed = most_memory(&own, async { anyhow::bail!("broken") }).await;
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }
}
