//! The log on disk: one record on each line, with its checksum, only ever appended to.
//!
//! A crash can leave an incomplete last line, which was never acknowledged and is cut off. A bad line before others
//! means that the file is damaged, and it is rejected.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{LogId, Types};
use crate::files;

/// A line of the log file.
#[expect(clippy::large_enum_variant, reason = "nearly all records are entries")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// An entry after the last one.
    Append(openraft::Entry<Types>),
    /// Entries from this index on are void.
    Truncate(u64),
    /// Entries up to and including this one are in a snapshot, and gone.
    Purge(LogId),
}

/// The open file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens or creates the file, and reads its content.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>)> {
        let content = files::read(path)?.unwrap_or_default();
        let (records, length) = parse(&content).with_context(|| format!("log {} is damaged", path.display()))?;
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.set_len(length as u64)?;
        file.seek(io::SeekFrom::End(0))?;
        file.sync_all()?;
        Ok((Self { path: path.to_owned(), file }, records))
    }

    /// Appends records; they are on disk when this returns, if they are to be synced.
    pub fn append(&mut self, records: &[Record], synced: bool) -> io::Result<()> {
        self.file.write_all(&lines(records)?)?;
        if synced { self.file.sync_data() } else { Ok(()) }
    }

    /// Overwrites its first record, for the planted fault.
    pub fn damage(&self) {
        let _ = self.file.write_all_at(b"damaged", 0).and_then(|()| self.file.sync_data());
    }

    /// Replaces the whole file.
    pub fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        files::replace(&self.path, &lines(records)?)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        Ok(())
    }
}

fn lines(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        let json = serde_json::to_vec(record)?;
        write!(lines, "{:016x} ", checksum(&json))?;
        lines.extend_from_slice(&json);
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Returns the records, and the length of the file without an incomplete end.
fn parse(content: &[u8]) -> Result<(Vec<Record>, usize)> {
    let mut records = Vec::new();
    let mut start = 0;
    while let Some(length) = content[start..].iter().position(|byte| *byte == b'\n') {
        let end = start + length + 1;
        match record(&content[start..end - 1]) {
            Some(record) => records.push(record),
            None if end == content.len() => break,
            None => bail!("bad record at byte {start}, followed by others"),
        }
        start = end;
    }
    Ok((records, start))
}

fn record(line: &[u8]) -> Option<Record> {
    let (sum, json) = (line.get(..16)?, line.get(17..)?);
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (sum == checksum(json)).then(|| serde_json::from_slice(json).ok())?
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(index: u64) -> Record {
        Record::Purge(LogId::new(openraft::CommittedLeaderId::new(1, 7), index))
    }

    fn written(records: &[Record]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        LogFile::open(&path).unwrap().0.append(records, true).unwrap();
        (dir, path)
    }

    #[test]
    fn an_incomplete_end_is_cut_off_at_every_byte() {
        let (_dir, path) = written(&[purge(1), Record::Truncate(9), purge(3)]);
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<_> = (0..whole.len()).filter(|at| whole[*at] == b'\n').map(|at| at + 1).collect();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut file, records) = LogFile::open(&path).unwrap();
            assert_eq!(records.len(), ends.iter().filter(|end| **end <= length).count(), "cut at {length}");
            file.append(&[purge(8)], true).unwrap();
            let again = LogFile::open(&path).unwrap().1;
            assert_eq!(again, [records, vec![purge(8)]].concat(), "cut at {length}");
        }
    }

    #[test]
    fn damage_in_the_middle_is_rejected() {
        let (_dir, path) = written(&[purge(1), purge(2)]);
        let mut content = std::fs::read(&path).unwrap();
        content[20] ^= 1;
        std::fs::write(&path, content).unwrap();
        let message = format!("{:#}", LogFile::open(&path).unwrap_err());
        assert!(message.contains("is damaged: bad record at byte 0, followed by others"), "{message}");
    }

    #[test]
    fn a_rewritten_file_can_be_appended_to() {
        let (_dir, path) = written(&[purge(1), purge(2)]);
        let mut file = LogFile::open(&path).unwrap().0;
        file.rewrite(&[purge(2)]).unwrap();
        file.append(&[Record::Truncate(4)], true).unwrap();
        assert_eq!(LogFile::open(&path).unwrap().1, [purge(2), Record::Truncate(4)]);
    }
}
