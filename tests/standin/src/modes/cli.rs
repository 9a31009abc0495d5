//! `caesium cli`: the command line of a `db`'s text protocol. Like many such programs, it ends with 0 once there is a
//! response, even if that is an error.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Sends one line to a db (PING, SET KEY VALUE, GET KEY) and prints its response
#[derive(Debug, clap::Args)]
pub struct Cli {
    /// The host of the db
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port for lines
    #[arg(long, default_value_t = 5432)]
    port: u16,
    /// Password of the db
    #[arg(long, hide_default_value = true, default_value = "")]
    password: String,
    /// The words of the line
    #[arg(required = true)]
    words: Vec<String>,
}

impl Cli {
    /// Prints the response.
    pub async fn run(self) -> Result<()> {
        let to = (self.host.as_str(), self.port);
        let mut stream = TcpStream::connect(to).await.with_context(|| format!("{}:{}", self.host, self.port))?;
        let auth = if self.password.is_empty() { String::new() } else { format!("AUTH {}\r\n", self.password) };
        let skipped = auth.lines().count();
        stream.write_all(format!("{auth}{}\r\n", self.words.join(" ")).as_bytes()).await?;
        let mut lines = BufReader::new(stream).lines();
        for _ in 0..skipped {
            lines.next_line().await?.context("the connection was closed")?;
        }
        let answer = lines.next_line().await?.context("the connection was closed")?;
        ensure!(writeln!(std::io::stdout(), "{answer}").is_ok(), "nobody reads the output");
        Ok(())
    }
}
