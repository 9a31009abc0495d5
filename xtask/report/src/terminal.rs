//! What a person sees while it runs, on stderr: a line per running case on a terminal, plain lines on a pipe.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::pipe::{Pipe, stamped};
use super::run::ReportedRun;
use crate::outcome;
use events::{Event, Verdict, What};

/// Shows a run as it goes.
pub enum Terminal {
    /// A terminal.
    Live(Live),
    /// Everything else.
    Pipe(Pipe),
    /// Nobody looks: every line is made and none shown, for measurements.
    Silent,
}

/// The lines of a terminal that change.
pub struct Live {
    progress: MultiProgress,
    running: BTreeMap<String, ProgressBar>,
}

impl Terminal {
    /// For stderr, whatever it is.
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

    /// Ends once nothing was said for too long; never on a terminal, which shows all the time what goes on.
    pub async fn silence(&self) {
        match self {
            Self::Pipe(pipe) => pipe.silence().await,
            Self::Live(_) | Self::Silent => std::future::pending().await,
        }
    }

    /// Says what goes on.
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
            // A terminal that is gone is no reason to stop.
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

/// The line that stays of an event; none for what is worth none.
fn line(event: &Event) -> Option<String> {
    let told = match &event.what {
        What::RunStarted { run_id, cluster, image, cases, .. } => {
            format!("run {run_id}: {} cases with {image} on {cluster}", cases.len())
        }
        What::CaseStarted { case } => format!("{case} ..."),
        What::CaseEnded { case, took_ms, verdict } => format!("{case} {}", ended(*took_ms, verdict)),
        What::Fault { case, what } => format!("{case}: fault: {what}"),
        What::ClusterLost { why } => format!("the run ends here: {why}"),
        What::Note { text } | What::LeftOut { what: text } => text.clone(),
        _ => return None,
    };
    Some(stamped(Duration::from_millis(event.at_ms), &told))
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

/// The last words: the first cause first, and how to run that case again.
pub fn summary(events: &[Event], folder: &str) -> String {
    let run = ReportedRun::of(events);
    let seconds = Duration::from_millis(run.took_ms).as_secs_f64();
    let green = run.cases.iter().filter(|case| case.is_green()).count();
    let mut lines = Vec::new();
    if let Some((case, message)) = run.first_cause() {
        lines.push(format!("first failure: {}\n{}\n", case.name, message.trim_end()));
        lines.push(format!("run it again: {} --exact {}", run.rerun_command, case.name));
    }
    lines.push(format!(
        "{green} of {} cases passed in {seconds:.1} s with {} on {}",
        run.cases.len(),
        run.image,
        run.cluster
    ));
    lines.extend(run.left_out.iter().map(|what| (*what).to_owned()));
    if outcome::proves_nothing(&run) {
        lines.push("none of the selected cases could run: nothing is proven".to_owned());
    }
    lines.push(format!("evidence: {folder}"));
    lines.join("\n")
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
