//! A container's own standard streams, as clients see them that attach to it.

use std::sync::Arc;
use std::sync::{Mutex as SyncMutex, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::sync::{Mutex, mpsc};

use crate::exec::{ExecInput, Terminal};

/// How many pieces of output may wait for a client: a slow client slows the program down.
const QUEUE_CHUNKS: usize = 16;

/// A piece of a container's output.
#[derive(Debug, Clone)]
pub struct OutputChunk {
    /// Whether it was written to standard error.
    pub is_error: bool,
    /// What was written.
    pub bytes: Vec<u8>,
}

/// The clients that read a container's output, besides its log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers {
    /// `None` once there will be no more output.
    senders: Arc<SyncMutex<Option<Vec<mpsc::Sender<OutputChunk>>>>>,
}

impl Readers {
    pub fn new() -> Self {
        Self { senders: Arc::new(SyncMutex::new(Some(Vec::new()))) }
    }

    /// Sends a piece of output to all clients, and forgets those that are gone.
    pub async fn send(&self, chunk: &OutputChunk) {
        let senders = self.lock(|senders| senders.clone().unwrap_or_default());
        for sender in senders {
            if sender.send(chunk.clone()).await.is_err() {
                self.lock(|senders| senders.iter_mut().for_each(|all| all.retain(|one| !one.is_closed())));
            }
        }
    }

    /// Ends the output of all clients, now and later.
    pub fn close(&self) {
        self.lock(Option::take);
    }

    fn add(&self) -> mpsc::Receiver<OutputChunk> {
        let (sender, receiver) = mpsc::channel(QUEUE_CHUNKS);
        self.lock(|senders| senders.iter_mut().for_each(|all| all.push(sender.clone())));
        receiver
    }

    fn lock<T>(&self, act: impl FnOnce(&mut Option<Vec<mpsc::Sender<OutputChunk>>>) -> T) -> T {
        act(&mut self.senders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The node's ends of a container's standard streams.
pub struct Console {
    pub readers: Readers,
    input: Mutex<Option<ExecInput>>,
    terminal: Option<Terminal>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("has_terminal", &self.terminal.is_some()).finish_non_exhaustive()
    }
}

impl Console {
    pub fn new(readers: Readers, input: Option<ExecInput>, terminal: Option<Terminal>) -> Self {
        Self { readers, input: Mutex::new(input), terminal }
    }

    /// Returns a receiver of the output from now on.
    pub fn attach(&self) -> mpsc::Receiver<OutputChunk> {
        self.readers.add()
    }

    /// Writes to standard input; what a program that has none, or does not read it, is sent is lost.
    pub async fn write_input(&self, bytes: &[u8]) {
        let mut input = self.input.lock().await;
        if let Some(open) = input.as_mut()
            && open.write_all(bytes).await.is_err()
        {
            *input = None;
        }
    }

    /// Closes standard input; on a terminal, sends end-of-file.
    pub async fn close_input(&self) {
        if let Some(mut open) = self.input.lock().await.take() {
            let _ = open.shutdown().await;
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            terminal.resize(columns, rows);
        }
    }
}
