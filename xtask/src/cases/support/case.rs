//! A case: its kind, and what it runs.

use futures::future::LocalBoxFuture;
use futures::{FutureExt, TryFutureExt};

pub use super::conclusion::Conclusion;
use super::context::CaseContext;
use suite::CaseKind;

/// A case. One file of this folder's parent each.
pub struct Case {
    /// What the suites' loader and the plan know about it.
    pub kind: CaseKind,
    /// Runs it. The first sentence of an error is for a tired person.
    pub run: for<'a> fn(&'a CaseContext) -> LocalBoxFuture<'a, anyhow::Result<Conclusion>>,
}

/// A case that passes, with a line for the summary, or fails.
pub fn passing<'a>(
    run: impl Future<Output = anyhow::Result<String>> + 'a,
) -> LocalBoxFuture<'a, anyhow::Result<Conclusion>> {
    run.map_ok(Conclusion::Passed).boxed_local()
}
