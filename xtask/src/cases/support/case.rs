//! A case: its kind and its function.

use futures::future::LocalBoxFuture;
use futures::{FutureExt, TryFutureExt};

pub use super::conclusion::Conclusion;
use super::context::CaseContext;
use suite::CaseKind;

/// A case; each has its own file in the parent folder.
pub struct Case {
    /// What the loader of suite files and the plan need to know.
    pub kind: CaseKind,
    /// Runs the case. The first line of an error must name the object and the reason.
    pub run: for<'a> fn(&'a CaseContext) -> LocalBoxFuture<'a, anyhow::Result<Conclusion>>,
}

/// Wraps the function of a case that either passes, with a line for the summary, or fails.
pub fn passing<'a>(
    run: impl Future<Output = anyhow::Result<String>> + 'a,
) -> LocalBoxFuture<'a, anyhow::Result<Conclusion>> {
    run.map_ok(Conclusion::Passed).boxed_local()
}
