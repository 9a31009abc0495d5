//! Reports: pure consumers of the run's events.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::events::{Event, What};

pub mod files;
pub mod html;
pub mod json;
pub mod junit;
pub mod libtest;
pub mod run;
pub mod terminal;

/// The consumers of a run's events, at work until the run ends.
pub struct Reports {
    folder: PathBuf,
    events: JoinHandle<anyhow::Result<Vec<Event>>>,
}

impl Reports {
    /// Starts them; files go to the run's folder.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn start(folder: &Path, receiver: UnboundedReceiver<Event>) -> anyhow::Result<Self> {
        let json = json::Json::create(&folder.join("events.jsonl"))?;
        files::begin_index(folder).with_context(|| format!("writing the index of {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), events: tokio::spawn(consume(receiver, json)) })
    }

    /// Waits for the last event and writes the reports of the whole run; answers its events.
    ///
    /// # Errors
    /// Where a report can't be written.
    pub async fn finish(self, junit: Option<&Path>) -> anyhow::Result<Vec<Event>> {
        let events = self.events.await.context("the reports ended before the run")??;
        let rendered = junit::render(&events)?;
        write(&self.folder.join("junit.xml"), &rendered)?;
        if let Some(path) = junit {
            write(path, &rendered)?;
        }
        write_html(&self.folder, &events)?;
        Ok(events)
    }
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

async fn consume(mut receiver: UnboundedReceiver<Event>, mut json: json::Json) -> anyhow::Result<Vec<Event>> {
    let mut terminal = terminal::Terminal::new();
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        terminal.add(&event);
        json.add(&event).context("writing events.jsonl")?;
        let last = matches!(event.what, What::RunEnded { .. });
        events.push(event);
        if last {
            break;
        }
    }
    Ok(events)
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
