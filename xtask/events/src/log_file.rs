//! A stored container log: whole lines, limited in size, without the values of Secrets.

use std::path::Path;

use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::bounds::Room;

/// A longer line is written in pieces.
const LINE_BYTES_MAX: usize = 64 << 10;
/// A log file being written.
pub struct LogFile {
    file: File,
    pending: Vec<u8>,
    room: Room,
    full: bool,
}

impl LogFile {
    /// Creates the file.
    ///
    /// # Errors
    /// If the file can't be created.
    pub async fn create(folder: &Path, name: &str) -> std::io::Result<Self> {
        tokio::fs::create_dir_all(folder).await?;
        let file = File::create(folder.join(name)).await?;
        Ok(Self { file, pending: Vec::new(), room: Room::new(), full: false })
    }

    /// Appends bytes. When this returns, all complete lines are in the file, so a run that is killed leaves its logs.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        match whole.or_else(|| (self.pending.len() > LINE_BYTES_MAX).then_some(self.pending.len())) {
            Some(end) => {
                let rest = self.pending.split_off(end);
                let lines = std::mem::replace(&mut self.pending, rest);
                self.write(&lines).await
            }
            None => Ok(()),
        }
    }

    /// Writes the last line if it has no newline.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn finish(mut self) -> std::io::Result<()> {
        let rest = std::mem::take(&mut self.pending);
        self.write(&rest).await
    }

    /// Returns whether the file has reached its limit.
    pub fn is_full(&self) -> bool {
        self.full
    }

    async fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        let text = redact::text(&String::from_utf8_lossy(lines));
        let (kept, cut) = self.room.take(&text);
        self.file.write_all(kept.as_bytes()).await?;
        if let Some(why) = cut {
            self.full = true;
            self.file.write_all(why.as_bytes()).await?;
        }
        self.file.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_log_contains_values_of_secrets_even_if_they_arrive_in_pieces() {
        redact::known::learn("hunter2!");
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), "a.log").await.unwrap();
        for piece in ["dsn is db:hun", "ter2!@host, on\n", "base64 aHVudGVyMiE=\nlast"] {
            log.add(piece.as_bytes()).await.unwrap();
        }
        log.finish().await.unwrap();
        let kept = std::fs::read_to_string(dir.path().join("a.log")).unwrap();
        assert_eq!(kept, "dsn is db:REDACTED@host, on\nbase64 REDACTED\nlast");
    }
}
