//! The cases.

use std::future::Future;
use std::pin::Pin;

use anyhow::{Result, ensure};

use crate::pod::Node;

type Run = Box<dyn FnOnce(Node) -> Pin<Box<dyn Future<Output = Result<()>>>>>;

pub struct Case {
    pub name: &'static str,
    /// Holds for an ordinary user as well.
    pub without_root: bool,
    pub run: Run,
}

fn case<F: Future<Output = Result<()>> + 'static>(name: &'static str, run: fn(Node) -> F) -> Case {
    Case { name, without_root: true, run: Box::new(move |node| Box::pin(run(node))) }
}

pub fn all() -> Vec<Case> {
    vec![case("exit_code_and_output", exit_code_and_output)]
}

async fn exit_code_and_output(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let (exit, output) = pod.run(pod.spec("echo out; echo err >&2; exit 3")).await?;
    ensure!(exit.code == 3 && exit.signal.is_none() && !exit.oom_killed, "{exit:?}");
    ensure!(output.contains("out\n") && output.contains("err\n"), "{output:?}");
    pod.stop().await;
    Ok(())
}
