//! Container logs as text: lines of CRI's format without their prefixes.

use std::path::Path;

/// Returns the end of a log, at most `bytes_max` long.
pub(super) fn tail(log: &Path, bytes_max: usize) -> Option<String> {
    let lines = std::fs::read_to_string(log).ok()?;
    let texts = lines.lines().filter_map(|line| line.splitn(4, ' ').nth(3));
    let text = texts.fold(String::new(), |text, line| text + line + "\n");
    let from = text.len().saturating_sub(bytes_max);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at))?;
    Some(text[from..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_log_has_no_prefixes() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let lines =
            "2026-11-21T03:00:00.000000000Z stdout F starting\n2026-11-21T03:00:01.000000000Z stderr F fatal: no way\n";
        std::fs::write(log.path(), lines).unwrap();
        assert_eq!(tail(log.path(), 4096).unwrap(), "starting\nfatal: no way\n");
        assert_eq!(tail(log.path(), 5).unwrap(), " way\n");
    }
}
