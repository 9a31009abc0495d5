//! How much evidence a run may write: limited per file and in total. Each cut is marked.

use std::sync::atomic::{AtomicU64, Ordering};

/// The limit for one log or the output of one command.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// The limit for all logs, outputs and dumps together.
const TOTAL_BYTES_MAX: u64 = 512 << 20;

/// How much may still be written; global, because a process drives only one run.
static LEFT: AtomicU64 = AtomicU64::new(TOTAL_BYTES_MAX);

/// How much may still be written to one file.
pub struct Room(usize);

impl Room {
    /// Returns the room of a new file.
    pub fn new() -> Self {
        Self(FILE_BYTES_MAX)
    }

    /// Returns as much of `text` as fits, cut at the end of a line, and the mark to write if it was cut.
    pub fn take<'a>(&mut self, text: &'a str) -> (&'a str, Option<&'static str>) {
        let left = usize::try_from(LEFT.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let most = self.0.min(left);
        let why = if self.0 <= left {
            "--- cut: limit of 8 MiB per file\n"
        } else {
            "--- cut: limit of 512 MiB of evidence per run\n"
        };
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

/// Returns the complete lines in the first `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let end = text.as_bytes()[..most].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &text[..end]
}

/// Returns a file's content, cut to the limits.
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
    fn a_file_is_cut_at_a_line_and_marked() {
        let line = "x".repeat(1023) + "\n";
        let text = bounded(&line.repeat(9 << 10));
        assert!(text.len() <= FILE_BYTES_MAX + 64);
        assert!(text.ends_with("x\n--- cut: limit of 8 MiB per file\n"));
        assert_eq!(bounded("short\n"), "short\n");
    }
}
