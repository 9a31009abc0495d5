//! The terminal as a command sees it: lines on stdout and stderr, exit codes, and the signals that end it.
//!
//! It knows nothing of clusters, charts or runs. A stream that nobody reads any more neither ends the program nor makes it
//! panic, as `println!` and `eprintln!` do: the run still has to clean up.

pub mod exit;
pub mod interrupt;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// Why a line to stdout was lost.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line to stdout. A reader that has gone, as `head` does, has seen what it wanted.
pub fn out(line: impl Display) {
    keep(writeln!(io::stdout().lock(), "{line}"));
}

/// Prints text to stdout as it is, with the line ends that it has.
pub fn out_text(text: &str) {
    let mut stdout = io::stdout().lock();
    keep(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Prints a line to stderr.
pub fn err(line: impl Display) {
    // There is no other place to report that to.
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Why something that was printed to stdout did not arrive there, where its reader did not leave: a full disk.
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
