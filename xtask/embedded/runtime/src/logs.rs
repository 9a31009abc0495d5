//! A container's output, written line by line in the log format of the container runtime interface (CRI).

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Write, pipe};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{SecondsFormat, Utc};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinSet;

use crate::console::{OutputChunk, Readers};
use crate::exec::Terminal;

/// A longer line is written in parts, as containerd does.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// A longer file is moved to `<file>.1`, replacing an earlier one: kubelet's default log limit.
const FILE_BYTES_MAX: u64 = 10 << 20;

/// Moves a container's output into its log.
pub struct Pump {
    streams: JoinSet<()>,
}

impl Pump {
    /// Opens the log for appending, and returns the ends of the pipes that the container writes to. The readers see the
    /// output, too.
    pub fn start(path: &Path, readers: &Readers) -> Result<(Self, OwnedFd, OwnedFd)> {
        let log = open(path)?;
        let mut streams = JoinSet::new();
        let mut ends = Vec::new();
        for stream in ["stdout", "stderr"] {
            let (reader, writer): (PipeReader, PipeWriter) = pipe().context("create a pipe for the log")?;
            let reader = Receiver::from_owned_fd(reader.into()).context("read from the log's pipe")?;
            let reader = BufReader::with_capacity(LINE_BYTES_MAX, reader);
            streams.spawn(copy_lines(reader, stream, log.clone(), readers.clone()));
            ends.push(OwnedFd::from(writer));
        }
        let (stderr, stdout) = (ends.pop(), ends.pop());
        let (stdout, stderr) = stdout.zip(stderr).context("create pipes for the log")?;
        Ok((Self { streams }, stdout, stderr))
    }

    /// As [`Pump::start`], for a container with a terminal.
    pub fn of_terminal(path: &Path, terminal: Terminal, readers: &Readers) -> Result<Self> {
        let reader = BufReader::with_capacity(LINE_BYTES_MAX, terminal);
        let mut streams = JoinSet::new();
        streams.spawn(copy_lines(reader, "stdout", open(path)?, readers.clone()));
        Ok(Self { streams })
    }

    /// Waits until all output is written, that is, until the last process that holds a pipe has ended.
    pub async fn drain(mut self, timeout: Duration) {
        let all = async { while self.streams.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(timeout, all).await;
    }
}

fn open(path: &Path) -> Result<Arc<Mutex<LogFile>>> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("create the directory {}", dir.display()))?;
    }
    let log = LogFile::open(path).with_context(|| format!("open the log {}", path.display()))?;
    Ok(Arc::new(Mutex::new(log)))
}

async fn copy_lines(mut reader: impl AsyncBufRead + Unpin, stream: &str, log: Arc<Mutex<LogFile>>, readers: Readers) {
    let mut line = Vec::new();
    loop {
        let chunk = match reader.fill_buf().await {
            Ok(chunk) if !chunk.is_empty() => chunk,
            _ => break,
        };
        let room = LINE_BYTES_MAX - line.len();
        let newline = chunk.iter().take(room).position(|byte| *byte == b'\n');
        let taken = newline.unwrap_or(chunk.len().min(room));
        line.extend_from_slice(&chunk[..taken]);
        let read = taken + usize::from(newline.is_some());
        let seen = OutputChunk { is_error: stream == "stderr", bytes: chunk[..read].to_vec() };
        reader.consume(read);
        readers.send(&seen).await;
        if newline.is_some() || line.len() == LINE_BYTES_MAX {
            write(&log, stream, if newline.is_some() { "F" } else { "P" }, &line);
            line.clear();
        }
    }
    if !line.is_empty() {
        write(&log, stream, "F", &line);
    }
}

/// Writes a line. A line that can't be written is lost: a full disk must not stop the container.
fn write(log: &Mutex<LogFile>, stream: &str, tag: &str, line: &[u8]) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = log.write(stream, tag, line) {
        tracing::warn!("write to the log {}: {error}", log.path.display());
    }
}

struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.into(), file, bytes })
    }

    fn write(&mut self, stream: &str, tag: &str, line: &[u8]) -> io::Result<()> {
        if self.bytes >= FILE_BYTES_MAX {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            fs::rename(&self.path, old)?;
            *self = Self::open(&self.path)?;
        }
        let mut record =
            format!("{} {stream} {tag} ", Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, true)).into_bytes();
        record.extend_from_slice(line);
        record.push(b'\n');
        // One call for the whole line, so that concurrent readers never see half a line.
        self.file.write_all(&record)?;
        self.bytes += record.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn logged(output: &[u8]) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pod/0.log");
        let (pump, stdout, stderr) = Pump::start(&path, &Readers::new()).unwrap();
        let output = output.to_vec();
        let writing = std::thread::spawn(move || File::from(stdout).write_all(&output).unwrap());
        drop(stderr);
        pump.drain(Duration::from_secs(10)).await;
        writing.join().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        text.lines()
            .map(|line| {
                let mut fields = line.splitn(4, ' ').skip(1);
                assert_eq!(fields.next(), Some("stdout"));
                (fields.next().unwrap().into(), fields.next().unwrap().into())
            })
            .collect()
    }

    #[tokio::test]
    async fn each_line_is_a_record_and_the_last_needs_no_newline() {
        let lines = logged(b"one\n\nthree").await;
        let expected = [("F", "one"), ("F", ""), ("F", "three")];
        assert_eq!(lines, expected.map(|(tag, text)| (tag.to_string(), text.to_string())));
    }

    #[tokio::test]
    async fn a_long_line_is_written_in_parts() {
        let lines = logged(format!("{}\nnext\n", "x".repeat(LINE_BYTES_MAX + 5)).as_bytes()).await;
        let shape: Vec<(&str, usize)> = lines.iter().map(|(tag, text)| (tag.as_str(), text.len())).collect();
        assert_eq!(shape, [("P", LINE_BYTES_MAX), ("F", 5), ("F", 4)]);
    }

    #[test]
    fn a_full_file_is_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let mut log = LogFile::open(&path).unwrap();
        log.bytes = FILE_BYTES_MAX;
        log.write("stdout", "F", b"after").unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with(" stdout F after\n"));
        assert!(dir.path().join("0.log.1").exists());
    }
}
