//! A broken promise, as the error of a case.

use std::fmt;

/// What the checkers found in a history: a broken promise, as opposed to a fault that can't be injected, or a wait that
/// timed out.
#[derive(Debug)]
pub struct BrokenPromise(pub String);

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BrokenPromise {}
