//! The exit codes of every subcommand, in one table.

use std::fmt;
use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every selected case passed.
    Passed = 0,
    /// A flag, a file or a reference is malformed; nothing was created.
    Usage = 2,
    /// The environment failed before there was a verdict: no Docker, no cluster, no tool.
    Environment = 3,
    /// A case failed; libtest's own code.
    CaseFailed = 101,
    /// Ctrl-C, after clean-up.
    Interrupted = 130,
    /// SIGTERM, after clean-up.
    Terminated = 143,
}

impl Exit {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A mistake in a flag, a suite file or an image reference: exit code 2, nothing created.
#[derive(Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Returns a usage error with this message.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

/// Prints the error that ended a subcommand and returns its exit code: 2 for a usage error, otherwise 3.
pub fn report(error: &anyhow::Error) -> ExitCode {
    crate::err(format_args!("error: {error:#}"));
    of(error).into()
}

/// Returns the exit code of a subcommand that succeeded, or an error's code if its output could not be written.
pub fn printed(code: ExitCode) -> ExitCode {
    match crate::lost() {
        Some(error) if code == ExitCode::SUCCESS => report(&anyhow::Error::from(error).context("writing to stdout")),
        _ => code,
    }
}

/// Returns the exit code for an error.
pub fn of(error: &anyhow::Error) -> Exit {
    if error.is::<UsageError>() { Exit::Usage } else { Exit::Environment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_keeps_its_code_under_context() {
        assert_eq!(of(&usage("no such flag").context("reading the flags")), Exit::Usage);
        assert_eq!(of(&anyhow::anyhow!("no docker")), Exit::Environment);
    }
}
