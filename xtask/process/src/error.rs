//! How a command failed, as messages.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a child process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it that the harness did not send.
    Signal(i32),
    /// It was stopped after this time.
    TimedOut(Duration),
    /// It was stopped because the run was interrupted.
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
            Self::TimedOut(limit) => write!(f, "exceeded its time limit of {} s, stopped", limit.as_secs_f64()),
            Self::Cancelled => f.write_str("stopped because the run was interrupted"),
            Self::TooMuchOutput(bytes) => write!(f, "stopped after more than {} MB of output", bytes / 1_000_000),
            Self::NotStarted(reason) => write!(f, "could not be started: {reason}"),
        }
    }
}

/// A failed command: its command line, how and when it ended, and its last output.
#[derive(Debug, Clone)]
pub struct CommandError {
    /// Quoted for a shell, secrets redacted.
    pub line: String,
    /// How it ended.
    pub ended: Ended,
    /// How long it ran.
    pub took: Duration,
    /// The last lines of its standard output, then of its standard error.
    pub tail: String,
    /// The file with its complete output, if the run stores it.
    pub output: Option<PathBuf>,
}

impl CommandError {
    /// Returns whether it ended because the run was interrupted.
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
            write!(f, "\n    complete output: {}", output.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandError {}
