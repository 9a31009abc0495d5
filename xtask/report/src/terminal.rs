//! Progress on stderr: one line per running case on a terminal, plain lines on a pipe.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::pipe::{Pipe, stamped};
use super::run::ReportedRun;
use crate::outcome;
use events::{Event, Verdict, What};

/// Shows the progress of a run.
pub enum Terminal {
    /// A terminal.
    Live(Live),
    /// Everything else.
    Pipe(Pipe),
    /// Creates every line but shows none, for measurements.
    Silent,
}

/// The changing lines on a terminal.
pub struct Live {
    progress: MultiProgress,
    running: BTreeMap<String, ProgressBar>,
}

impl Terminal {
    /// Returns the kind for stderr.
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Pipe(Pipe::new());
        }
        Self::Live(Live { progress: MultiProgress::new(), running: BTreeMap::new() })
    }

    /// Shows an event.
    pub fn add(&mut self, event: &Event) {
        let line = line(event);
        match self {
            Self::Live(live) => live.add(event, line),
            Self::Pipe(pipe) => pipe.add(event, line),
            Self::Silent => {}
        }
    }

    /// Returns once nothing has been printed for too long; never on a terminal, which always shows the progress.
    pub async fn silence(&self) {
        match self {
            Self::Pipe(pipe) => pipe.silence().await,
            Self::Live(_) | Self::Silent => std::future::pending().await,
        }
    }

    /// Prints what is running.
    pub fn break_silence(&mut self) {
        if let Self::Pipe(pipe) = self {
            pipe.break_silence();
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    fn add(&mut self, event: &Event, line: Option<String>) {
        self.follow(&event.what);
        if let Some(line) = line {
            // A closed terminal is no reason to stop.
            drop(self.progress.println(line));
        }
    }

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

/// Returns the permanent line for an event, if it has one.
fn line(event: &Event) -> Option<String> {
    let text = match &event.what {
        What::RunStarted { run_id, cluster, image, cases, .. } => {
            format!("run {run_id}: {} cases with {image} on {cluster}", cases.len())
        }
        What::CaseStarted { case } => format!("{case} ..."),
        What::CaseEnded { case, took_ms, verdict } => format!("{case} {}", ended(*took_ms, verdict)),
        What::Fault { case, what, .. } => format!("{case}: fault: {what}"),
        What::FaultHealed { case, what } => format!("{case}: healed: {what}"),
        What::ClusterLost { why } => format!("ending the run: {why}"),
        What::Note { text } | What::LeftOut { what: text } => text.clone(),
        _ => return None,
    };
    Some(stamped(Duration::from_millis(event.at_ms), &text))
}

fn ended(took_ms: u64, verdict: &Verdict) -> String {
    let took = Duration::from_millis(took_ms).as_secs_f64();
    match verdict {
        Verdict::Passed { note } if note.is_empty() => format!("ok ({took:.1} s)"),
        Verdict::Passed { note } => format!("ok ({took:.1} s): {note}"),
        Verdict::Failed { message } => {
            format!("FAILED ({took:.1} s): {}", message.lines().next().unwrap_or_default())
        }
        Verdict::NotRun { blocked_by: why } | Verdict::NotApplicable { why } => format!("not run: {why}"),
    }
}

/// Returns the summary: the first failure first, and how to run that case again.
pub fn summary(events: &[Event], folder: &str) -> String {
    let run = ReportedRun::of(events);
    let seconds = Duration::from_millis(run.took_ms).as_secs_f64();
    let passed = run.cases.iter().filter(|case| case.has_passed()).count();
    let mut lines = Vec::new();
    if let Some((case, message)) = run.first_cause() {
        lines.push(format!("first failure: {}\n{}\n", case.name, message.trim_end()));
        lines.push(format!("run it again: {} --exact {}", run.rerun_command, case.name));
    }
    lines.push(format!(
        "{passed} of {} cases passed in {seconds:.1} s with {} on {}",
        run.cases.len(),
        run.image,
        run.cluster
    ));
    lines.extend(run.left_out.iter().map(|what| (*what).to_owned()));
    if outcome::proves_nothing(&run) {
        lines.push("none of the selected cases could run, so nothing is proven".to_owned());
    }
    lines.push(format!("evidence: {folder}"));
    lines.join("\n")
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
