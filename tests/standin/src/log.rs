//! Logs one plain line to stderr for each change of state.

use std::fmt::Display;
use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// How important a line is, in descending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something failed for good.
    Error,
    /// Something failed that will be retried, or a planted fault acts.
    Warn,
    /// A change of state.
    Info,
    /// A step towards a change of state.
    Debug,
}

static LEVEL_MAX: AtomicU8 = AtomicU8::new(Level::Info as u8);

impl FromStr for Level {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.to_ascii_lowercase().as_str() {
            "error" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            other => Err(format!("{other:?} is not a log level; use error, warn, info or debug")),
        }
    }
}

/// Logs lines up to this level from now on.
pub fn show(level: Level) {
    LEVEL_MAX.store(level as u8, Ordering::Relaxed);
}

/// Logs an error.
pub fn error(message: impl Display) {
    line(Level::Error, message);
}

/// Logs a warning.
pub fn warn(message: impl Display) {
    line(Level::Warn, message);
}

/// Logs a change of state.
pub fn info(message: impl Display) {
    line(Level::Info, message);
}

/// Logs a step.
pub fn debug(message: impl Display) {
    line(Level::Debug, message);
}

fn line(level: Level, message: impl Display) {
    if level as u8 > LEVEL_MAX.load(Ordering::Relaxed) {
        return;
    }
    let word = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    // The reader of the log may be gone.
    drop(writeln!(std::io::stderr(), "{} {word}: {message}", chrono::Utc::now().format("%H:%M:%S%.3f")));
}
