//! `cargo xtask bench soak`: repeats whole runs of a correct chart, every second one with one core busy. Any failure
//! is a false alarm.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Spread, show};
use crate::cmd::ranges;
use cluster::Choice;
use console::exit::Exit;
use process::Launcher;

/// The time limit for a run, with a wide margin.
const TIMEOUT: Duration = Duration::from_secs(1200);

/// The flags of `cargo xtask bench soak`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of runs
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = ranges::count())]
    runs: usize,
    /// Where to run: kind or embedded
    #[arg(long, value_name = "CLUSTER", default_value = "embedded")]
    cluster: Choice,
    /// Run only cases whose names contain one of these words [default: all cases]
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Keeps a core busy until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `cargo xtask bench soak`.
///
/// # Errors
/// The first failed run, with the path of its evidence.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let launcher = Launcher::light(args.verbose);
    let xtask = std::env::current_exe().context("the path of the running program")?;
    let cluster = args.cluster.to_string();
    let (mut quiet, mut loaded) = (Vec::new(), Vec::new());
    for number in 1..=args.runs {
        let is_loaded = number % 2 == 0;
        let busy = is_loaded.then(Busy::start);
        let started = Instant::now();
        let run = launcher.cmd(&xtask).args(["e2e", "--cluster", &cluster]).args(&args.words).timeout(TIMEOUT);
        run.run().await.with_context(|| format!("run {number} of {} failed: a false alarm", args.runs))?;
        drop(busy);
        let taken = started.elapsed().as_secs_f64();
        console::out(format_args!(
            "run {number} of {}: passed in {taken:.1} s{}",
            args.runs,
            if is_loaded { ", with one core busy" } else { "" }
        ));
        if is_loaded { loaded.push(taken) } else { quiet.push(taken) }
    }
    console::out(format_args!("{} of {} runs passed", quiet.len() + loaded.len(), args.runs));
    show("whole run", &Spread::of(quiet), "s");
    show("whole run, one core busy", &Spread::of(loaded), "s");
    Ok(Exit::Passed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_busy_until_it_is_dropped() {
        let busy = Busy::start();
        let stop = busy.0.clone();
        assert!(!stop.load(Ordering::Relaxed));
        drop(busy);
        assert!(stop.load(Ordering::Relaxed));
    }
}
