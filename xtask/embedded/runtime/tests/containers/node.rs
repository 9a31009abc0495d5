//! The node's side of a case.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases::{self, NotRun};
use crate::pod::Node;

/// Much longer than any case takes on a busy machine.
const CASE_TIMEOUT: Duration = Duration::from_secs(120);

/// The exit code of a case that was not run; its output is the reason.
pub const NOT_RUN: u8 = 77;

/// Enters the node's namespaces and runs one case in them.
pub fn run(case: &str, dir: &Path) -> ExitCode {
    match try_run(case, dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<NotRun>() => {
            print!("{error}");
            ExitCode::from(NOT_RUN)
        }
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(case: &str, dir: &Path) -> Result<()> {
    runtime::enter_node_namespaces()?;
    let case = cases::find(case).context("no such case")?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    tokio.block_on(async {
        let node = Node::start(dir).await?;
        tokio::time::timeout(CASE_TIMEOUT, (case.run)(node)).await.context("the case hangs")?
    })
}
