//! Reports: pure consumers of the run's events.

use std::path::Path;

use anyhow::Context;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::events::{Event, What};

pub mod files;
pub mod html;
pub mod json;
pub mod junit;
pub mod libtest;
pub mod pipe;
pub mod replay;
pub mod run;
pub mod terminal;

/// The consumers of a run's events, at work until the run ends.
pub struct Reports {
    events: JoinHandle<Told>,
}

/// What a run told, and the first trouble with writing it down: a full disk costs the reports, not the verdict.
#[derive(Default)]
pub struct Told {
    /// Every event.
    pub events: Vec<Event>,
    /// Why a report is incomplete.
    pub trouble: Option<anyhow::Error>,
}

impl Told {
    /// Writes the reports of the whole run, each whatever became of the others.
    pub fn write(&mut self, folder: &Path, junit: Option<&Path>) {
        let written = write_junit(folder, junit, &self.events);
        self.note(written);
        let written = write_html(folder, &self.events);
        self.note(written);
    }

    /// Notes how writing something went.
    pub fn note(&mut self, written: anyhow::Result<()>) {
        if let Err(error) = written {
            self.trouble.get_or_insert(error);
        }
    }
}

impl Reports {
    /// Starts them; files go to the run's folder.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn start(folder: &Path, receiver: UnboundedReceiver<Event>) -> anyhow::Result<Self> {
        Self::start_on(terminal::Terminal::new(), folder, receiver)
    }

    /// Starts them on another terminal than stderr.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn start_on(
        terminal: terminal::Terminal,
        folder: &Path,
        receiver: UnboundedReceiver<Event>,
    ) -> anyhow::Result<Self> {
        let json = json::Json::create(&folder.join("events.jsonl"))?;
        files::begin_index(folder).with_context(|| format!("writing the index of {}", folder.display()))?;
        Ok(Self { events: tokio::spawn(consume(terminal, receiver, json)) })
    }

    /// Waits for the last event.
    pub async fn ended(self) -> Told {
        match self.events.await.context("the reports ended before the run") {
            Ok(told) => told,
            Err(error) => Told { trouble: Some(error), ..Told::default() },
        }
    }
}

fn write_junit(folder: &Path, besides: Option<&Path>, events: &[Event]) -> anyhow::Result<()> {
    let rendered = junit::render(events)?;
    write(&folder.join("junit.xml"), &rendered)?;
    besides.map_or(Ok(()), |path| write(path, &rendered))
}

/// Writes the index of a run's folder and its HTML report.
///
/// # Errors
/// Where they can't be written.
pub fn write_html(folder: &Path, events: &[Event]) -> anyhow::Result<()> {
    let files = files::list(folder);
    files::write_index(folder, &files).with_context(|| format!("writing the index of {}", folder.display()))?;
    let logs = files::logs(folder, &files, run::Run::of(events).began_unix_ms);
    write(&folder.join("report.html"), &html::render(events, &logs, &files))
}

async fn consume(
    mut terminal: terminal::Terminal,
    mut receiver: UnboundedReceiver<Event>,
    mut json: json::Json,
) -> Told {
    let mut told = Told::default();
    loop {
        let event = tokio::select! {
            event = receiver.recv() => event,
            () = terminal.silence() => {
                terminal.break_silence();
                continue;
            }
        };
        let Some(event) = event else { break };
        terminal.add(&event);
        if told.trouble.is_none() {
            told.note(json.add(&event).context("writing events.jsonl"));
        }
        let last = matches!(event.what, What::RunEnded { .. });
        told.events.push(event);
        if last {
            break;
        }
    }
    told
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
