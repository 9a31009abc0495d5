//! The stand-in: Caesium's contract on openraft, with faults that can be planted; and stand-ins for other programs.

mod config;
mod crash;
mod execute;
mod faults;
mod files;
mod help;
mod http;
mod identity;
mod jobs;
mod join;
mod log;
mod membership;
mod modes;
mod node;
mod old_leader;
mod peer_server;
mod raft;
mod roles;
mod run;
mod serve;
mod shutdown;
mod sleep;
mod statements;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use config::Config;

/// Stand-in for Caesium: the same environment, files, ports, endpoints and failures, on openraft.
#[derive(Debug, clap::Parser)]
#[command(name = "caesium", version, term_width = 120, after_help = help::start())]
enum Program {
    /// Runs a node, as Caesium does
    Start,
    Web(modes::Web),
    Db(modes::Db),
    Cli(modes::Cli),
    Migrate(modes::Migrate),
    Job(modes::Job),
    Worker(modes::Worker),
}

fn main() -> ExitCode {
    let program = Program::parse();
    let ended = runtime().and_then(|runtime| {
        let ended = runtime.block_on(run(program));
        runtime.shutdown_background();
        ended
    });
    ended.unwrap_or_else(|error| {
        log::error(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("tokio runtime can't be started")
}

async fn run(program: Program) -> Result<ExitCode> {
    match program {
        Program::Start => start().await?,
        Program::Web(web) => web.run().await?,
        Program::Db(db) => db.run().await?,
        Program::Cli(cli) => return unless_terminated(async { cli.run().await.map(|()| ExitCode::SUCCESS) }).await,
        Program::Migrate(migrate) => {
            let migrated = async { migrate.run().await.map(|()| ExitCode::SUCCESS) };
            return unless_terminated(migrated).await;
        }
        Program::Job(job) => return unless_terminated(job.run()).await,
        Program::Worker(worker) => worker.run().await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A program without a handler ignores SIGTERM if it is the first process of a container.
async fn unless_terminated(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let mut signals = shutdown::Signals::new(false)?;
    tokio::select! {
        ended = work => ended,
        () = signals.terminate() => Ok(ExitCode::from(143)),
    }
}

async fn start() -> Result<()> {
    let config = Config::from_env()?;
    log::show(config.log_level);
    run::node(config).await
}
