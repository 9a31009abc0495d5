//! The stand-in: Caesium's contract on openraft, with faults that can be planted.

mod config;
mod crash;
mod faults;
mod files;
mod http;
mod identity;
mod jobs;
mod join;
mod log;
mod membership;
mod node;
mod raft;
mod roles;
mod shutdown;
mod statements;

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use config::Config;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["start"] => ended(start()),
        ["--help" | "-h" | "help"] => {
            println!("{}", help());
            ExitCode::SUCCESS
        }
        ["--version"] => {
            println!("caesium stand-in {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("caesium: {words:?} is no command; use start, --help or --version");
            ExitCode::from(2)
        }
    }
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    let config = Config::from_env()?;
    log::show(config.log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("tokio runtime can't be started")?;
    let result = runtime.block_on(node::run(config));
    runtime.shutdown_background();
    result
}

fn help() -> String {
    format!("{HELP}\n{}", faults::help()).trim_end().to_owned()
}

const HELP: &str = "\
Stand-in for Caesium: the same environment, files, ports, endpoints and failures, on openraft.

usage: caesium start

environment, as Caesium's:
  CAESIUM_PORT=8080                    HTTP, on all addresses; 0 picks a port
  CAESIUM_NODE_ADDRESS=127.0.0.1:9001  Raft; numeric, bound as given
  CAESIUM_DATABASE_NODES=              peers to join through, host:port, comma-separated; ignored with an info.yaml
  CAESIUM_DATABASE_PATH=/var/lib/caesium/dqlite
  CAESIUM_DATABASE_TYPE=internal       the only one here
  CAESIUM_LOG_LEVEL=info               error, warn, info, debug
  CAESIUM_MAX_PARALLEL_TASKS=1         shown as workers_total

environment, the stand-in's own:
  STANDIN_QUORUM=on                    off: /health without the later checks.cluster.quorum
  STANDIN_ELECTION_TIMEOUT_MS=3000     silence after which a voter stands for election
  STANDIN_HEARTBEAT_MS=500
  STANDIN_ROLES_CYCLE_S=30             between two looks of the leader at the roles
  STANDIN_SNAPSHOT_ENTRIES=1000        log entries between two snapshots
  STANDIN_FAULT=                       faults to plant: name[=value][@ordinal], comma-separated

faults:";

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_has_the_help() {
        let help = super::help();
        assert!(include_str!("../README.md").contains(&help), "put into README.md, between the fences:\n{help}");
    }
}
