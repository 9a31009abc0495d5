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

    /// Returns the program and its subcommand: `helm install`.
    fn name(&self) -> String {
        let mut words = self.line.split(' ');
        let program = words.next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or(program);
        let is_plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        std::iter::once(program).chain(words.take_while(is_plain).take(1)).collect::<Vec<_>>().join(" ")
    }
}

/// Returns the line of a command's output that says why it failed: the last error, or what it introduces.
fn cause(tail: &str) -> Option<&str> {
    let mut lines = tail.lines().map(str::trim).filter(|line| !line.is_empty());
    // helm lint ends with a count, which says nothing.
    if let Some(found) = lines.clone().find_map(|line| line.strip_prefix("[ERROR]")) {
        return Some(found.trim_start());
    }
    let error = lines.clone().rfind(|line| line.to_ascii_lowercase().starts_with("error:"));
    let introduces = error.is_none_or(|error| error.ends_with(':'));
    let line = if introduces { lines.next_back()? } else { error? };
    let line = line.trim_start_matches(['-', '*']).trim_start();
    let prefixes = ["error:", "installation failed:", "upgrade failed:"];
    Some(prefixes.iter().fold(line, |line, prefix| match line.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => line[prefix.len()..].trim_start(),
        _ => line,
    }))
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Ended::Code(_), Some(cause)) = (&self.ended, cause(&self.tail)) {
            write!(f, "{}: {cause}\n    ", self.name())?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(line: &str, tail: &str) -> String {
        let (ended, took) = (Ended::Code(1), Duration::from_millis(300));
        CommandError { line: line.to_owned(), ended, took, tail: tail.to_owned(), output: None }.to_string()
    }

    #[test]
    fn the_first_line_is_the_cause_and_the_command_follows() {
        let tail = "level=WARN msg=\"a warning\"\nError: INSTALLATION FAILED: failed post-install: timed out";
        let expected = "helm install: failed post-install: timed out\n    `/opt/helm install web chart`: exit code 1 after \
                        0.3 s\n    level=WARN msg=\"a warning\"\n    Error: INSTALLATION FAILED: failed post-install: timed out";
        assert_eq!(failed("/opt/helm install web chart", tail), expected);
    }

    #[test]
    fn what_an_error_introduces_is_the_cause() {
        let tail = "Error: values don't meet the specifications of the schema(s):\nweb:\n- at '/replicas': got string";
        assert!(failed("helm template web", tail).starts_with("helm template: at '/replicas': got string\n"));
        let lint = "[ERROR] templates/: parse error\n\nError: 1 chart(s) linted, 1 chart(s) failed";
        assert!(failed("helm lint web", lint).starts_with("helm lint: templates/: parse error\n"));
        assert!(failed("docker pull web:1", "toomanyrequests: slow down").starts_with("docker pull: toomanyrequests"));
    }

    #[test]
    fn without_output_the_command_comes_first() {
        assert_eq!(failed("kind delete cluster", ""), "`kind delete cluster`: exit code 1 after 0.3 s");
    }
}
