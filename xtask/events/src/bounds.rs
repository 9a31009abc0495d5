//! How much evidence a run may write: bounded per file and in total, and what is cut is said.

use std::sync::atomic::{AtomicU64, Ordering};

/// The most that is kept of one log or of one command's output.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// The most that is kept of all logs, outputs and dumps together.
const TOTAL_BYTES_MAX: u64 = 512 << 20;

/// What may still be written; a process drives one run.
static LEFT: AtomicU64 = AtomicU64::new(TOTAL_BYTES_MAX);

/// What one file may still take.
pub struct Room(usize);

impl Room {
    /// For a new file.
    pub fn new() -> Self {
        Self(FILE_BYTES_MAX)
    }

    /// How much of `text` fits, cut at a line's end where it does not fit as a whole.
    pub fn take<'a>(&mut self, text: &'a str) -> (&'a str, Option<&'static str>) {
        let left = usize::try_from(LEFT.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let most = self.0.min(left);
        let why =
            if self.0 <= left { "--- cut: a file holds 8 MiB\n" } else { "--- cut: a run's evidence holds 512 MiB\n" };
        let kept = if text.len() <= most { text } else { cut(text, most) };
        self.0 -= kept.len();
        LEFT.fetch_sub(kept.len() as u64, Ordering::Relaxed);
        (kept, (kept.len() < text.len()).then_some(why))
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// The whole lines of the first `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let end = text.as_bytes()[..most].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &text[..end]
}

/// A file's content, bounded.
pub fn bounded(text: &str) -> String {
    match Room::new().take(text) {
        (kept, Some(why)) => format!("{kept}{why}"),
        (kept, None) => kept.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_at_a_line_and_says_so() {
        let line = "x".repeat(1023) + "\n";
        let text = bounded(&line.repeat(9 << 10));
        assert!(text.len() <= FILE_BYTES_MAX + 64);
        assert!(text.ends_with("x\n--- cut: a file holds 8 MiB\n"));
        assert_eq!(bounded("short\n"), "short\n");
    }
}
