//! A response of any kind, and what is known about a request without one.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::pattern::Pattern;
use crate::value::{Document, beginning};

/// The most bytes of a response.
pub const BYTES_MAX: usize = 8 << 20;

/// A response with any status.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The HTTP status, or the exit status of a command; none over TCP.
    pub status: Option<u16>,
    /// The body, what a command wrote to its standard output, or the lines that a server sent.
    pub output: Bytes,
    /// What a command wrote to its standard error.
    pub stderr: String,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The request was never sent: it had no effect.
    NotSent(String),
    /// The request was sent, and no response arrived in time: it may have had an effect.
    TimedOut(String),
    /// The request was sent, and the connection ended without a response: it may have had an effect.
    Unanswered(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) | Self::TimedOut(why) | Self::Unanswered(why) => f.write_str(why),
        }
    }
}

impl Response {
    /// Returns the output without the end of its last line.
    pub fn text(&self) -> Cow<'_, str> {
        let trimmed = self.output.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        String::from_utf8_lossy(trimmed.unwrap_or(&self.output))
    }

    /// Returns whether the output, or what a command wrote to its standard error, contains a match.
    pub fn contains(&self, pattern: &Pattern) -> bool {
        pattern.is_in(&self.text()) || pattern.is_in(self.stderr.trim_end())
    }

    /// Returns the output, in which values are found.
    pub fn document(&self) -> Document {
        Document::Text(self.text().into_owned())
    }

    /// Returns the beginning of the output, and of the standard error of a command, for messages.
    pub fn beginning(&self) -> String {
        let (output, stderr) = (beginning(&self.text()), beginning(&self.stderr));
        let labelled = if stderr.is_empty() { stderr } else { format!(" (stderr: {stderr})") };
        let text = format!("{output}{labelled}");
        if text.is_empty() { "no output".to_owned() } else { text.trim_start().to_owned() }
    }
}
