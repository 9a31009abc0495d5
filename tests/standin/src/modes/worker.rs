//! `caesium worker`: works forever, with the endpoints of `web` beside it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Web;
use super::web::Server;
use crate::config::hostname;
use crate::log;

/// Counts its work in the record worker-HOSTNAME of the store, with the endpoints of web beside it
#[derive(Debug, clap::Args)]
pub struct Worker {
    /// How many seconds between two pieces of work
    #[arg(long, env = "STANDIN_WORK_EVERY_S", default_value_t = 1.0)]
    every: f64,
    #[command(flatten)]
    web: Web,
}

impl Worker {
    /// Works until SIGTERM.
    pub async fn run(self) -> Result<()> {
        let every = Duration::try_from_secs_f64(self.every)?;
        self.web.serve(move |server| drop(tokio::spawn(work(server, every)))).await
    }
}

async fn work(server: Arc<Server>, every: Duration) {
    let mut failed = false;
    loop {
        let piece = piece(&server).await;
        match &piece {
            Err(error) if !failed => log::warn(format_args!("work has stopped: {error:#}")),
            Ok(count) if failed || *count == 1 => log::info(format_args!("work continues, piece {count}")),
            _ => {}
        }
        failed = piece.is_err();
        tokio::time::sleep(every).await;
    }
}

/// Increments the count.
async fn piece(server: &Server) -> Result<u64> {
    let path = format!("/v1/records/worker-{}", hostname());
    let before = server.ask_store("GET", &path, "").await?;
    let count = match before.status {
        200 => before.body.trim().parse::<u64>()?,
        404 => 0,
        status => bail!("the store returned {status}: {}", before.body),
    };
    let written = server.ask_store("PUT", &path, &(count + 1).to_string()).await?;
    if written.status < 300 { Ok(count + 1) } else { bail!("the store returned {}", written.status) }
}
