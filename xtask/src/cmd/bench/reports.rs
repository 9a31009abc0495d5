//! `cargo xtask bench reports`: measures what reports cost a run in CPU time and memory. It watches a real run from
//! outside, then reports its events again, as they are and stretched to ten minutes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use super::{Spread, show};
use crate::cmd::ranges;
use console::exit::Exit;
use events::{Event, What};
use process::Launcher;
use report::terminal::Terminal;
use report::{Reports, json};

/// The time limit for a run, with a wide margin.
const TIMEOUT: Duration = Duration::from_secs(1800);
/// The interval at which the run is measured; what it uses after the last measurement is not counted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The length of the run for which memory is measured.
const LONG_MS: u64 = 600_000;
/// Ticks of `/proc/PID/stat` in a second, on every Linux.
const TICKS: f64 = 100.0;

/// The flags of `cargo xtask bench reports`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of times that the reports are written again
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = ranges::count())]
    times: usize,
    /// Run only cases whose names contain one of these words [default: all cases]
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// CPU time and memory of a process so far.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu_s: f64,
    peak_mb: f64,
}

impl Used {
    /// Returns the maximum of both: a process that has ended but was not waited for reports no memory.
    fn and(self, later: Option<Self>) -> Self {
        let later = later.unwrap_or(self);
        Self { cpu_s: later.cpu_s.max(self.cpu_s), peak_mb: later.peak_mb.max(self.peak_mb) }
    }
}

/// Runs `cargo xtask bench reports`.
///
/// # Errors
/// If the run fails, or its events can't be reported again.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("creating a folder for the run")?;
    let harness = watched_run(&args, &folder.path().join("run")).await?;
    let events = json::read(&folder.path().join("run/events.jsonl"))?;
    show("harness, CPU time", &Spread::of(vec![harness.cpu_s]), "s");
    show("harness, peak memory", &Spread::of(vec![harness.peak_mb]), "MB");
    let before = used(std::process::id())?;
    for _ in 0..args.times {
        report_apart(folder.path().join("run"), events.clone().into_iter()).await?;
    }
    let spent = used(std::process::id())?;
    #[expect(clippy::cast_precision_loss, reason = "it is at most 1000")]
    let reports_s = (spent.cpu_s - before.cpu_s) / args.times as f64;
    show("reports of its events, CPU time", &Spread::of(vec![reports_s]), "s");
    show("reports, share of the harness's CPU time", &Spread::of(vec![100.0 * reports_s / harness.cpu_s]), "%");
    let count = stretched(events.clone()).count();
    console::out(format_args!(
        "{} events in a run of {} s, {count} in ten minutes",
        events.len(),
        took_ms(&events) / 1000
    ));
    report_apart(folder.path().join("run"), stretched(events)).await?;
    let grown = used(std::process::id())?.peak_mb - spent.peak_mb;
    show("reports of ten minutes, added memory", &Spread::of(vec![grown]), "MB");
    show("harness with reports of ten minutes", &Spread::of(vec![harness.peak_mb + grown]), "MB");
    Ok(Exit::Passed.into())
}

/// A real run on the embedded cluster, in a process of its own.
async fn watched_run(args: &Args, folder: &Path) -> anyhow::Result<Used> {
    let xtask = std::env::current_exe().context("the path of the running program")?;
    let launcher = Launcher::light(args.verbose);
    let run = launcher.cmd(&xtask).args(["e2e", "--cluster", "embedded", "--report-dir"]).arg(folder);
    let mut run = std::pin::pin!(run.args(&args.words).timeout(TIMEOUT).run());
    let mut seen = Used::default();
    loop {
        tokio::select! {
            ended = &mut run => {
                ended.context("the measured run failed")?;
                return Ok(seen);
            }
            () = tokio::time::sleep(LOOK_EVERY) => seen = seen.and(child().and_then(|id| used(id).ok())),
        }
    }
}

/// Returns the only child of this process.
fn child() -> Option<u32> {
    let ids = std::fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_ours = |id: &u32| fields(*id).is_ok_and(|fields| fields.get(1) == Some(&std::process::id().to_string()));
    ids.into_iter().find(is_ours)
}

/// Returns the fields of `/proc/PID/stat` after the program's name: state, parent, …
fn fields(id: u32) -> anyhow::Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("this needs Linux")?;
    let (_, behind) = stat.rsplit_once(") ").context("/proc/PID/stat has no program name")?;
    Ok(behind.split(' ').map(str::to_owned).collect())
}

fn used(id: u32) -> anyhow::Result<Used> {
    let fields = fields(id)?;
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("this needs Linux")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let peak_kb: f64 = peak.split_whitespace().next().unwrap_or_default().parse().unwrap_or_default();
    Ok(Used { cpu_s: (ticks(11) + ticks(12)) / TICKS, peak_mb: peak_kb / 1000.0 })
}

/// Reports events as a run does, into its folder, which has the evidence. It uses one thread, so that each event is
/// consumed before the next is sent, since the channel of a real run is almost empty too.
async fn report_apart(folder: PathBuf, events: impl Iterator<Item = Event> + Send + 'static) -> anyhow::Result<()> {
    let reporting = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().context("starting a runtime")?;
        runtime.block_on(report(&folder, events))
    });
    reporting.await.context("the reports' thread panicked")?
}

async fn report(folder: &Path, events: impl Iterator<Item = Event>) -> anyhow::Result<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let reports = Reports::start_on(Terminal::Silent, folder, receiver)?;
    let mut last = None;
    for event in events {
        if let Some(event) = last.replace(event) {
            drop(sender.send(event));
            tokio::task::yield_now().await;
        }
    }
    drop(sender);
    let last = last.context("the run has no events")?;
    let mut report = reports.ended(|_| last).await;
    report.write(folder, None);
    report.trouble.map_or(Ok(()), Err)
}

fn took_ms(events: &[Event]) -> u64 {
    events.last().map_or(1, |event| event.at_ms.max(1))
}

/// Repeats the events until they fill ten minutes, with one start and one end.
fn stretched(events: Vec<Event>) -> impl Iterator<Item = Event> + Send {
    let took_ms = took_ms(&events);
    let is_start = |event: &Event| matches!(event.what, What::RunStarted { .. });
    let is_end = |event: &Event| matches!(event.what, What::RunEnded { .. });
    let (start, rest): (Vec<_>, Vec<_>) = events.into_iter().partition(is_start);
    let end = Event { at_ms: LONG_MS, what: What::RunEnded { took_ms: LONG_MS, exit_code: 0 } };
    let turns = (0..LONG_MS.div_ceil(took_ms)).flat_map(move |turn| {
        let middle = rest.clone().into_iter().filter(move |event| !is_end(event));
        middle.map(move |event| Event { at_ms: event.at_ms + turn * took_ms, what: event.what })
    });
    start.into_iter().chain(turns).chain([end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_is_stretched_to_ten_minutes() {
        let note = |at_ms| Event { at_ms, what: What::Note { text: "a".to_owned() } };
        let end = Event { at_ms: 60_000, what: What::RunEnded { took_ms: 60_000, exit_code: 0 } };
        let long: Vec<_> = stretched(vec![note(1000), note(59_000), end]).collect();
        assert_eq!(long.len(), 2 * 10 + 1);
        assert_eq!(long[19].at_ms, 599_000);
        assert!(matches!(long[20].what, What::RunEnded { .. }));
    }

    #[test]
    fn cpu_time_and_memory_of_a_process_are_read() {
        let used = used(std::process::id()).unwrap();
        assert!(used.peak_mb > 1.0 && used.cpu_s >= 0.0, "{used:?}");
    }
}
