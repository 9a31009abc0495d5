//! Every event, one JSON object a line, as it comes: `events.jsonl`.

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
    /// Begins the file.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { file })
    }

    /// Adds an event. Unbuffered: a run that is killed leaves what happened.
    ///
    /// # Errors
    /// What the disk says.
    pub fn add(&mut self, event: &Event) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Reads the events of a run. A last line that a kill cut short is left out.
///
/// # Errors
/// Where the file can't be read, or another line is no event: names the line.
pub fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |(index, line)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}: no event", path.display(), index + 1))
    };
    whole.lines().enumerate().map(line).collect()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
