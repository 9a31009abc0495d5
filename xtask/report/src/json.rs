//! `events.jsonl`: every event as it happens, one JSON object per line.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

use events::Event;

/// Writes events to a file, line by line.
pub struct Json {
    file: File,
}

impl Json {
    /// Creates the file.
    ///
    /// # Errors
    /// If it can't be created.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { file })
    }

    /// Writes an event. Unbuffered, so that a killed run leaves all events.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn add(&mut self, event: &Event) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Reads the events of a run. An incomplete last line, left by a killed run, is skipped.
///
/// # Errors
/// If the file can't be read, or a line is not an event, with its number.
pub fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |(index, line)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}: not an event", path.display(), index + 1))
    };
    whole.lines().enumerate().map(line).collect()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
