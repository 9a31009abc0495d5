//! The words for operations in messages.

use crate::model::Operation;

/// Returns the replica of an operation, or the Service.
pub fn through(operation: &Operation) -> &str {
    operation.replica.as_deref().unwrap_or("the Service")
}

/// Returns the time since the start of the run: `12.3 s`.
pub fn seconds(ns: u64) -> String {
    let tenths = ns / 100_000_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}
