//! The cases, by topic.

mod disturbances;
mod escapes;
mod exec;
mod files;
mod images;
pub mod lives;
mod network;
pub mod process;

use std::future::Future;
use std::pin::Pin;

use anyhow::Result;

use crate::pod::Node;

type Run = Box<dyn FnOnce(Node) -> Pin<Box<dyn Future<Output = Result<()>>>>>;

/// A property of containers on a node.
pub struct Case {
    pub name: &'static str,
    /// Whether it also runs on an ordinary user's node.
    pub without_root: bool,
    pub run: Run,
}

/// Why a case can't run on this machine.
#[derive(Debug)]
pub struct NotRun(pub String);

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not run: {}", self.0)
    }
}

impl std::error::Error for NotRun {}

/// Returns a case that runs for everyone.
fn case<F: Future<Output = Result<()>> + 'static>(name: &'static str, run: fn(Node) -> F) -> Case {
    Case { name, without_root: true, run: Box::new(move |node| Box::pin(run(node))) }
}

/// Returns a case that needs root; an ordinary user's node lists this among its limits.
fn root_case<F: Future<Output = Result<()>> + 'static>(name: &'static str, run: fn(Node) -> F) -> Case {
    Case { without_root: false, ..case(name, run) }
}

/// Returns the cases that are tests by themselves.
pub fn tests() -> Vec<Case> {
    [
        process::cases(),
        files::cases(),
        network::cases(),
        disturbances::cases(),
        exec::cases(),
        images::cases(),
        escapes::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the case of that name.
pub fn find(name: &str) -> Option<Case> {
    tests().into_iter().chain(lives::cases()).find(|case| case.name == name)
}
