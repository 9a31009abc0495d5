//! What a person sees while it runs, on stderr: a line per running case on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::run::Run;
use crate::events::{Event, Verdict, What};

/// Shows a run as it goes.
pub struct Terminal {
    live: Option<Live>,
    shows: bool,
}

/// The lines of a terminal that change.
struct Live {
    progress: MultiProgress,
    running: BTreeMap<String, ProgressBar>,
}

impl Terminal {
    /// For stderr, whatever it is.
    pub fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let live = on_terminal.then(|| Live { progress: MultiProgress::new(), running: BTreeMap::new() });
        Self { live, shows: true }
    }

    /// Makes every line and shows none: for measurements.
    pub fn silent() -> Self {
        Self { live: None, shows: false }
    }

    /// Shows an event.
    pub fn add(&mut self, event: &Event) {
        if let Some(live) = &mut self.live {
            live.follow(&event.what);
        }
        if let Some(line) = line(event) {
            match &self.live {
                // A terminal that is gone is no reason to stop.
                Some(live) => drop(live.progress.println(line)),
                None if self.shows => eprintln!("{line}"),
                None => {}
            }
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    fn follow(&mut self, what: &What) {
        match what {
            What::CaseStarted { case } => {
                let bar = self.progress.add(ProgressBar::new_spinner());
                bar.set_style(style());
                bar.set_prefix(case.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(case.clone(), bar);
            }
            What::Waiting { case, state } => {
                if let Some(bar) = self.running.get(case) {
                    bar.set_message(state.lines().next().unwrap_or_default().to_owned());
                }
            }
            What::CaseEnded { case, .. } => {
                if let Some(bar) = self.running.remove(case) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// The line that stays of an event; none for what is worth none.
fn line(event: &Event) -> Option<String> {
    let seconds = Duration::from_millis(event.at_ms).as_secs_f64();
    let told = match &event.what {
        What::RunStarted { run_id, cluster, image, cases, .. } => {
            format!("run {run_id}: {} cases with {image} on {cluster}", cases.len())
        }
        What::CaseStarted { case } => format!("{case} ..."),
        What::CaseEnded { case, took_ms, verdict } => format!("{case} {}", ended(*took_ms, verdict)),
        What::Fault { case, what } => format!("{case}: fault: {what}"),
        What::Note { text } => text.clone(),
        _ => return None,
    };
    Some(format!("{seconds:7.1}s {told}"))
}

fn ended(took_ms: u64, verdict: &Verdict) -> String {
    let took = Duration::from_millis(took_ms).as_secs_f64();
    match verdict {
        Verdict::Passed { note } if note.is_empty() => format!("ok ({took:.1} s)"),
        Verdict::Passed { note } => format!("ok ({took:.1} s): {note}"),
        Verdict::Failed { message } => {
            format!("FAILED ({took:.1} s): {}", message.lines().next().unwrap_or_default())
        }
        Verdict::NotRun { culprit: why } | Verdict::NotApplicable { why } => format!("not run: {why}"),
    }
}

/// The last words: the first cause first, and how to run that case again.
pub fn summary(events: &[Event], folder: &str) -> String {
    let run = Run::of(events);
    let seconds = Duration::from_millis(run.took_ms).as_secs_f64();
    let green = run.cases.iter().filter(|case| case.is_green()).count();
    let mut lines = Vec::new();
    if let Some((case, message)) = run.first_cause() {
        lines.push(format!("first failure: {}\n{}\n", case.name, message.trim_end()));
        lines.push(format!("run it again: {} --exact {}", run.again, case.name));
    }
    lines.push(format!(
        "{green} of {} cases passed in {seconds:.1} s with {} on {}",
        run.cases.len(),
        run.image,
        run.cluster
    ));
    lines.push(format!("evidence: {folder}"));
    lines.join("\n")
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
