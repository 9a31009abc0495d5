//! The terminal as a command sees it: lines on stdout and stderr, exit codes, the signals that end it, and how it was
//! started.
//!
//! It knows nothing about clusters, charts or runs. A stream whose reader has gone neither ends the program nor makes it
//! panic, unlike `println!` and `eprintln!`: the run still has to clean up.

pub mod exit;
pub mod interrupt;
pub mod program;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// Why a line could not be written to stdout.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line to stdout. A closed pipe is not an error: a reader such as `head` has seen what it wanted.
pub fn out(line: impl Display) {
    keep(writeln!(io::stdout().lock(), "{line}"));
}

/// Prints text to stdout unchanged, without adding a newline.
pub fn out_text(text: &str) {
    let mut stdout = io::stdout().lock();
    keep(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Prints a line to stderr.
pub fn err(line: impl Display) {
    // There is nowhere else to report this.
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Returns why output to stdout was lost, for example a full disk. A reader that closed the pipe doesn't count.
pub fn lost() -> Option<io::Error> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn keep(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
