//! What all commands of a run share: events, the folder for output, `-v`, and cancellation.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

use super::Cmd;
use events::bounds;
use events::{Events, What};

/// The folder in the run's directory with the output of commands.
const FOLDER: &str = "commands";

/// Starts commands for a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Launcher {
    run: Option<RunLog>,
    verbose: bool,
    cancel: CancellationToken,
    path: Option<OsString>,
}

/// The record of a run's commands.
#[derive(Debug, Clone)]
struct RunLog {
    events: Events,
    dir: PathBuf,
    next: Arc<AtomicU32>,
}

impl Launcher {
    /// Returns a launcher for a run: commands are sent as events, their output is stored below `run_dir`, and all are stopped
    /// when `cancel` is cancelled.
    ///
    /// # Errors
    /// If the folder for the output can't be created.
    pub fn for_run(events: Events, run_dir: &Path, verbose: bool, cancel: CancellationToken) -> io::Result<Self> {
        std::fs::create_dir_all(run_dir.join(FOLDER))?;
        let run = RunLog { events, dir: run_dir.to_owned(), next: Arc::new(AtomicU32::new(1)) };
        Ok(Self { run: Some(run), verbose, cancel, path: None })
    }

    /// Returns a launcher for a subcommand that stores nothing.
    pub fn light(verbose: bool) -> Self {
        Self { run: None, verbose, cancel: CancellationToken::new(), path: None }
    }

    /// Returns a launcher for the same run that is stopped by `cancel`: clean-up after an interrupt needs a new token.
    #[must_use]
    pub fn stopped_by(&self, cancel: CancellationToken) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// Returns a launcher for the same run that looks for tools on another `PATH`, which its commands also get.
    #[must_use]
    pub fn searching(&self, path: impl Into<OsString>) -> Self {
        Self { path: Some(path.into()), ..self.clone() }
    }

    /// Returns the executable that a shell would find.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        match &self.path {
            Some(path) => which::which_in(name, Some(path), Path::new("/")).ok(),
            None => which::which(name).ok(),
        }
    }

    /// Returns a command without arguments.
    pub fn cmd(&self, program: impl Into<OsString>) -> Cmd {
        let cmd = Cmd::new(self.clone(), program.into());
        match &self.path {
            Some(path) => cmd.env("PATH", path),
            None => cmd,
        }
    }

    /// Sends a message that belongs to no case.
    pub fn note(&self, text: impl Into<String>) {
        match &self.run {
            Some(run) => run.events.note(text),
            None => console::err(text.into()),
        }
    }

    pub(super) fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    pub(super) fn started(&self, line: &str) {
        if self.verbose {
            console::err(format_args!("+ {line}"));
        }
    }

    /// Stores a command's complete output, sends its event and returns the file.
    pub(super) fn ended(&self, name: &str, record: &CommandRecord<'_>) -> Option<PathBuf> {
        let run = self.run.as_ref()?;
        let number = run.next.fetch_add(1, Ordering::Relaxed);
        let output = format!("{FOLDER}/{number:04}-{name}.log");
        let path = run.dir.join(&output);
        let kept = std::fs::write(&path, bounds::bounded(&record.text()));
        if let Err(error) = &kept {
            run.events.note(format!("{}: can't be written: {error}", path.display()));
        }
        run.events.send(What::Command {
            line: record.line.to_owned(),
            code: record.code,
            took_ms: u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX),
            output,
        });
        kept.is_ok().then_some(path)
    }
}

/// What is stored of one command.
pub(super) struct CommandRecord<'a> {
    pub line: &'a str,
    pub ended: &'a str,
    pub code: Option<i32>,
    pub took: std::time::Duration,
    pub stdout: &'a str,
    pub stderr: &'a str,
}

impl CommandRecord<'_> {
    fn text(&self) -> String {
        let streams = [("stdout", self.stdout), ("stderr", self.stderr)].map(|(name, content)| {
            let newline = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
            if content.is_empty() { String::new() } else { format!("--- {name}\n{content}{newline}") }
        });
        let ended = format!("--- {} after {:.3} s\n", self.ended, self.took.as_secs_f64());
        format!("$ {}\n{}{ended}", self.line, streams.concat())
    }
}
