//! The reports of a run, made from its events only: terminal, libtest, `JUnit`, JSON, HTML, and the exit code.
//!
//! It knows events and the files in a run's directory. It must not know how a case is run, and never accesses a cluster.

use std::path::Path;

use anyhow::{Context, anyhow};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::terminal::Terminal;
use console::exit::Exit;
use console::interrupt::Signal;
use events::{Event, What};

pub mod files;
mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod libtest;
pub mod outcome;
pub mod pipe;
pub mod run;
pub mod terminal;

/// The consumers of a run's events, which run until the run ends.
pub struct Reports {
    consumer: JoinHandle<Consumer>,
    over: CancellationToken,
}

/// The events of a run, and the first problem with writing reports: a full disk costs the reports, but not the verdict.
#[derive(Default)]
pub struct RunReport {
    /// Every event.
    pub events: Vec<Event>,
    /// Why a report is incomplete.
    pub trouble: Option<anyhow::Error>,
}

impl RunReport {
    /// Writes the reports of the whole run, each even if another one fails.
    pub fn write(&mut self, folder: &Path, junit: Option<&Path>) {
        let written = guarded("junit.xml", || write_junit(folder, junit, &self.events));
        self.note(written);
        let written = guarded("report.html", || write_html(folder, &self.events));
        self.note(written);
        let told = guarded("GitHub's summary", || github::tell(&self.run()));
        self.note(told);
    }

    /// Prints libtest's report of the run to stdout.
    pub fn print(&mut self, report: anyhow::Result<libtest::Libtest>) {
        let mut text = Vec::new();
        let rendered = report.and_then(|report| report.print(&self.run(), &mut text));
        console::out_text(&String::from_utf8_lossy(&text));
        self.note(rendered);
    }

    /// Returns the run according to its events.
    pub fn run(&self) -> run::ReportedRun<'_> {
        run::ReportedRun::of(&self.events)
    }

    /// Replaces the command that repeats the run: by the end it is known which of its values are not secret.
    pub fn say_again(&mut self, command: String) {
        for event in &mut self.events {
            if let What::RunStarted { rerun_command, .. } = &mut event.what {
                return *rerun_command = command;
            }
        }
    }

    /// Records the result of writing a report.
    pub fn note(&mut self, written: anyhow::Result<()>) {
        if let Err(error) = written {
            self.trouble.get_or_insert(error);
        }
    }

    /// Returns the exit code, from the events so far and the problems with reports.
    pub fn exit(&self, signal: Option<Signal>) -> Exit {
        outcome::despite(outcome::exit(&self.run(), signal), self.trouble.is_some())
    }
}

impl Reports {
    /// Starts the reports. Files are written to the run's folder.
    ///
    /// # Errors
    /// If the folder can't be written.
    pub fn start(folder: &Path, receiver: UnboundedReceiver<Event>) -> anyhow::Result<Self> {
        Self::start_on(Terminal::new(), folder, receiver)
    }

    /// Starts the reports with this terminal instead of stderr.
    ///
    /// # Errors
    /// If the folder can't be written.
    pub fn start_on(terminal: Terminal, folder: &Path, receiver: UnboundedReceiver<Event>) -> anyhow::Result<Self> {
        let json = Some(json::Json::create(&folder.join("events.jsonl"))?);
        files::begin_index(folder).with_context(|| format!("writing the index of {}", folder.display()))?;
        let over = CancellationToken::new();
        let consumer = Consumer { terminal, json, report: RunReport::default() };
        Ok(Self { consumer: tokio::spawn(consumer.consume(receiver, over.clone())), over })
    }

    /// Ends the reports with a final event, which may depend on all earlier ones.
    pub async fn ended(self, last: impl FnOnce(&mut RunReport) -> Event) -> RunReport {
        self.over.cancel();
        match self.consumer.await.context("the reports ended before the run") {
            Ok(mut consumer) => {
                let last = last(&mut consumer.report);
                consumer.add(last);
                consumer.report
            }
            Err(error) => RunReport { trouble: Some(error), ..RunReport::default() },
        }
    }
}

/// Shows and stores events as they come.
struct Consumer {
    terminal: Terminal,
    /// None after a write has failed.
    json: Option<json::Json>,
    report: RunReport,
}

impl Consumer {
    async fn consume(mut self, mut receiver: UnboundedReceiver<Event>, over: CancellationToken) -> Self {
        loop {
            tokio::select! {
                event = receiver.recv() => match event {
                    Some(event) => self.add(event),
                    None => return self,
                },
                () = self.terminal.silence() => self.terminal.break_silence(),
                // Events that were sent before are still received.
                () = over.cancelled(), if !receiver.is_closed() => receiver.close(),
            }
        }
    }

    /// Stores an event even if a report fails: the verdicts are made from the stored events.
    fn add(&mut self, event: Event) {
        let shown = guarded("the terminal", || {
            self.terminal.add(&event);
            Ok(())
        });
        if shown.is_err() {
            self.terminal = Terminal::Silent;
        }
        self.report.note(shown);
        if let Some(json) = &mut self.json {
            let written = guarded("events.jsonl", || json.add(&event).context("writing events.jsonl"));
            if written.is_err() {
                self.json = None;
            }
            self.report.note(written);
        }
        self.report.events.push(event);
    }
}

/// Makes a report. If it panics, only this report is lost, not the verdict.
pub fn guarded<T>(what: &str, report: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(report));
    made.unwrap_or_else(|_| Err(anyhow!("{what}: creating the report panicked")))
}

fn write_junit(folder: &Path, besides: Option<&Path>, events: &[Event]) -> anyhow::Result<()> {
    let rendered = junit::render(events)?;
    write(&folder.join("junit.xml"), &rendered)?;
    besides.map_or(Ok(()), |path| write(path, &rendered))
}

/// Writes the index of a run's folder and its HTML report.
///
/// # Errors
/// If they can't be written.
pub fn write_html(folder: &Path, events: &[Event]) -> anyhow::Result<()> {
    let files = files::list(folder);
    files::write_index(folder, &files).with_context(|| format!("writing the index of {}", folder.display()))?;
    let logs = files::logs(folder, &files, run::ReportedRun::of(events).began_unix_ms);
    write(&folder.join("report.html"), &html::render(events, &logs, &files))
}

/// Writes a report, after creating its folder.
///
/// # Errors
/// If it can't be written.
pub fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use events::{Events, Verdict};

    #[tokio::test]
    async fn every_event_before_the_last_is_kept_and_decides_the_exit_code() {
        let (folder, (events, receiver)) = (tempfile::tempdir().unwrap(), Events::channel());
        let reports = Reports::start_on(Terminal::Silent, folder.path(), receiver).unwrap();
        for number in 0..100 {
            events.note(number.to_string());
        }
        let verdict = Verdict::Failed { message: "broken".to_owned() };
        events.send(What::CaseEnded { case: "c::r1::ready".to_owned(), took_ms: 1, verdict });
        let last = |report: &mut RunReport| {
            report.note(Err(anyhow!("the budgets can't be written")));
            let exit_code = report.exit(None).code().into();
            Event::new(Duration::from_secs(1), What::RunEnded { took_ms: 1000, exit_code })
        };
        let report = reports.ended(last).await;
        assert_eq!((report.events.len(), report.exit(None)), (102, Exit::CaseFailed));
        let kept = json::read(&folder.path().join("events.jsonl")).unwrap();
        let Some(What::RunEnded { exit_code: 101, .. }) = kept.last().map(|event| &event.what) else {
            panic!("{kept:?}")
        };
    }

    #[test]
    fn a_panic_in_a_report_is_an_error() {
        let error = guarded::<()>("report.html", || panic!("out of bounds")).unwrap_err();
        assert_eq!(error.to_string(), "report.html: creating the report panicked");
    }
}
