//! How a command failed, in words that need no second look.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a child's life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that we did not send.
    Signal(i32),
    /// It was stopped after this long.
    TimedOut(Duration),
    /// It was stopped because the run was.
    Cancelled,
    /// It was stopped because it wrote more than this many bytes.
    TooMuchOutput(u64),
    /// It never started, for this reason.
    NotStarted(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut(limit) => write!(f, "stopped at its limit of {} s", limit.as_secs_f64()),
            Self::Cancelled => f.write_str("stopped because the run was interrupted"),
            Self::TooMuchOutput(bytes) => write!(f, "stopped after more than {} MB of output", bytes / 1_000_000),
            Self::NotStarted(reason) => write!(f, "could not be started: {reason}"),
        }
    }
}

/// A command that did not end well: which, how, after how long, and what it said last.
#[derive(Debug, Clone)]
pub struct CommandError {
    /// Quoted as a shell takes it, secrets redacted.
    pub line: String,
    /// How it ended.
    pub ended: Ended,
    /// How long it ran.
    pub took: Duration,
    /// The last lines of its standard output and then of its standard error.
    pub tail: String,
    /// All that it wrote, where the run keeps that.
    pub output: Option<PathBuf>,
}

impl CommandError {
    /// Whether it ended because the whole run was stopped.
    pub fn is_cancelled(&self) -> bool {
        self.ended == Ended::Cancelled
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {} after {:.1} s", self.line, self.ended, self.took.as_secs_f64())?;
        for line in self.tail.lines() {
            write!(f, "\n    {line}")?;
        }
        if let Some(output) = &self.output {
            write!(f, "\n    all of its output: {}", output.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandError {}
