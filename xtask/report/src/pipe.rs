//! What goes to stderr where it is no terminal: plain lines, and what is waited for where nothing ended for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use events::{CaseName, Event, What};

/// A run on a pipe says something at least this often: to compile takes minutes, and CI ends what is silent for long.
const SILENCE_MOST: Duration = Duration::from_secs(15);

/// What a pipe was told last, and what it could be told.
pub struct Pipe {
    /// The cases that run, and what each waits for.
    running: BTreeMap<CaseName, String>,
    /// When the run's clock stood at zero.
    began: Instant,
    said: Instant,
}

impl Pipe {
    pub(super) fn new() -> Self {
        Self { running: BTreeMap::new(), began: Instant::now(), said: Instant::now() }
    }

    /// Writes an event's line, if it has one.
    pub(super) fn add(&mut self, event: &Event, line: Option<String>) {
        self.follow(event);
        self.say(line);
    }

    /// Ends once nothing was said for too long while something runs.
    pub(super) async fn silence(&self) {
        if self.running.is_empty() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(self.said + SILENCE_MOST).await;
    }

    /// Says what runs, and what it waits for.
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
            self.said = Instant::now();
        }
    }
}

/// A line with the time since the run began.
pub(super) fn stamped(at: Duration, told: &str) -> String {
    format!("{:7.1}s {told}", at.as_secs_f64())
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
    async fn silence_is_broken_with_what_is_waited_for() {
        let mut pipe = loading();
        pipe.said = Instant::now().checked_sub(SILENCE_MOST).unwrap();
        pipe.silence().await;
        let told = pipe.still(Duration::from_millis(15_900));
        assert_eq!(told, ["   15.9s caesium::images::load ... compiling the stand-in"]);
        pipe.break_silence();
        assert!(pipe.said.elapsed() < SILENCE_MOST / 2, "it was said just now");
    }

    #[tokio::test]
    async fn where_nothing_runs_there_is_nothing_to_say() {
        let mut pipe = loading();
        let verdict = Verdict::Passed { note: String::new() };
        let ended = What::CaseEnded { case: "caesium::images::load".to_owned(), took_ms: 1, verdict };
        pipe.follow(&Event::new(Duration::from_secs(1), ended));
        assert_eq!(pipe.still(Duration::from_secs(60)), [] as [&str; 0]);
        pipe.said = Instant::now().checked_sub(SILENCE_MOST).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), pipe.silence()).await.is_err());
    }
}
