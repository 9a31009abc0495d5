//! A text protocol of lines for a `db`, as many databases and brokers have one: AUTH, PING, SET, GET.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::late::Late;
use super::records::Records;
use crate::faults::{Fault, Faults};
use crate::log;
use crate::serve::HealthFaults;

/// What a connection needs.
#[derive(Clone)]
pub struct Lines {
    /// The data.
    pub records: Arc<Records>,
    /// The fault late-write.
    pub late: Option<Late>,
    /// The password that AUTH has to give.
    pub password: Option<Arc<str>>,
    /// The faults of health, for PING.
    pub health: HealthFaults,
    /// All faults.
    pub faults: Faults,
}

impl Lines {
    /// Serves until the process ends.
    pub async fn serve(self, port: u16) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
        let listener = listener.with_context(|| format!("lines can't listen on port {port}"))?;
        log::info(format_args!("lines listening on {}", listener.local_addr()?));
        loop {
            let (stream, _) = listener.accept().await?;
            let lines = self.clone();
            tokio::spawn(async move {
                if let Err(error) = lines.converse(stream).await {
                    log::warn(format_args!("lines: {error}"));
                }
            });
        }
    }

    async fn converse(self, mut stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read).lines();
        let mut is_authorized = self.password.is_none();
        while let Some(line) = lines.next_line().await? {
            let words: Vec<_> = line.split(' ').collect();
            if let ["AUTH", password] = words.as_slice() {
                is_authorized = self.password.as_deref() == Some(*password);
            }
            let answer = match words.as_slice() {
                _ if !is_authorized => "-NOAUTH wrong password".to_owned(),
                ["AUTH", _] => "+OK".to_owned(),
                words => self.answer(words).await,
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }

    async fn answer(&self, words: &[&str]) -> String {
        match words {
            ["PING"] if self.health.act().await => "-LOADING".to_owned(),
            ["PING"] => "+PONG".to_owned(),
            ["SET", key, value] => self.set(key, value),
            ["GET", key] => {
                let value = self.records.read(|content| content.records.get(*key).cloned());
                value.map_or_else(|| "NONE".to_owned(), |value| format!("VALUE {value}"))
            }
            _ => "-ERR unknown command".to_owned(),
        }
    }

    fn set(&self, key: &str, value: &str) -> String {
        let count = self.records.read(|content| content.records.len());
        if self.faults.count(Fault::StorageFull).is_some_and(|most| count >= most) {
            return "-ERR disk full".to_owned();
        }
        if let Some(late) = &self.late {
            late.write(key.to_owned(), value.to_owned());
            return "+OK".to_owned();
        }
        match self.records.change(|content| content.records.insert(key.to_owned(), value.to_owned())) {
            Ok(_) => "+OK".to_owned(),
            Err(error) => format!("-ERR {error:#}"),
        }
    }
}
