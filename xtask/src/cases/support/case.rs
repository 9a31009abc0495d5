//! A case: its kind, and what it runs.

use futures::future::LocalBoxFuture;
use futures::{FutureExt, TryFutureExt};

use super::context::Cx;
use suite::CaseKind;

/// A case. One file of this folder's parent each.
pub struct Case {
    /// What the suites' loader and the plan know about it.
    pub kind: CaseKind,
    /// Runs it. The first sentence of an error is for a tired person.
    pub run: for<'a> fn(&'a Cx) -> LocalBoxFuture<'a, anyhow::Result<Conclusion>>,
}

/// How a case ended that did not fail.
#[derive(Debug)]
pub enum Conclusion {
    /// What it checks holds; a line for the summary.
    Passed(String),
    /// It has no meaning on this cluster, and why: nothing was checked.
    NotApplicable(String),
}

/// A case that passes, with a line for the summary, or fails.
pub fn passing<'a>(
    run: impl Future<Output = anyhow::Result<String>> + 'a,
) -> LocalBoxFuture<'a, anyhow::Result<Conclusion>> {
    run.map_ok(Conclusion::Passed).boxed_local()
}
