//! Output to a stderr that is not a terminal: plain lines, and, after a period of silence, what the run is waiting for.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use events::{CaseName, Event, What};

/// A run on a pipe prints at least this often: compiling takes minutes, and CI kills jobs without output.
const SILENCE_MOST: Duration = Duration::from_secs(15);

/// When a pipe was last written to, and what could be written.
pub struct Pipe {
    /// The running cases, and what each waits for.
    running: BTreeMap<CaseName, String>,
    /// The start of the run.
    began: Instant,
    printed: Instant,
}

impl Pipe {
    pub(super) fn new() -> Self {
        Self { running: BTreeMap::new(), began: Instant::now(), printed: Instant::now() }
    }

    /// Prints an event's line, if it has one.
    pub(super) fn add(&mut self, event: &Event, line: Option<String>) {
        self.follow(event);
        self.say(line);
    }

    /// Returns once nothing has been printed for too long while a case is running.
    pub(super) async fn silence(&self) {
        if self.running.is_empty() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(self.printed + SILENCE_MOST).await;
    }

    /// Prints the running cases, and what they wait for.
    pub(super) fn break_silence(&mut self) {
        let lines = self.still(self.began.elapsed());
        self.say(lines);
    }

    fn follow(&mut self, event: &Event) {
        self.began = Instant::now().checked_sub(Duration::from_millis(event.at_ms)).unwrap_or(self.began);
        match &event.what {
            What::CaseStarted { case } => drop(self.running.insert(case.clone(), String::new())),
            What::Waiting { case, state } => {
                if let Some(waits) = self.running.get_mut(case) {
                    state.lines().next().unwrap_or_default().clone_into(waits);
                }
            }
            What::CaseEnded { case, .. } => drop(self.running.remove(case)),
            _ => {}
        }
    }

    fn still(&self, at: Duration) -> Vec<String> {
        let line = |(case, waits): (&CaseName, &String)| stamped(at, format!("{case} ... {waits}").trim_end());
        self.running.iter().map(line).collect()
    }

    fn say(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            console::err(line);
            self.printed = Instant::now();
        }
    }
}

/// Returns a line with the time since the start of the run.
pub(super) fn stamped(at: Duration, text: &str) -> String {
    format!("{:7.1}s {text}", at.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::Verdict;

    fn loading() -> Pipe {
        let mut pipe = Pipe::new();
        let case = || "caesium::images::load".to_owned();
        let waits = What::Waiting { case: case(), state: "compiling the stand-in".to_owned() };
        for what in [What::CaseStarted { case: case() }, waits] {
            pipe.follow(&Event::new(Duration::from_millis(900), what));
        }
        pipe
    }

    #[tokio::test]
    async fn silence_is_broken_with_what_the_run_waits_for() {
        let mut pipe = loading();
        pipe.printed = Instant::now().checked_sub(SILENCE_MOST).unwrap();
        pipe.silence().await;
        let lines = pipe.still(Duration::from_millis(15_900));
        assert_eq!(lines, ["   15.9s caesium::images::load ... compiling the stand-in"]);
        pipe.break_silence();
        assert!(pipe.printed.elapsed() < SILENCE_MOST / 2, "it was printed just now");
    }

    #[tokio::test]
    async fn nothing_is_printed_if_nothing_runs() {
        let mut pipe = loading();
        let verdict = Verdict::Passed { note: String::new() };
        let ended = What::CaseEnded { case: "caesium::images::load".to_owned(), took_ms: 1, verdict };
        pipe.follow(&Event::new(Duration::from_secs(1), ended));
        assert_eq!(pipe.still(Duration::from_secs(60)), [] as [&str; 0]);
        pipe.printed = Instant::now().checked_sub(SILENCE_MOST).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), pipe.silence()).await.is_err());
    }
}
