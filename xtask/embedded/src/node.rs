//! The node's process: API server, controllers, kubelet, DNS and proxy in namespaces of their own.

use std::path::Path;

/// The hidden word that makes the binary the node: `__node DIR`.
pub const WORD: &str = "__node";

/// Runs the node until it is told to stop, and answers the exit code.
pub fn main(directory: &Path) -> i32 {
    eprintln!("the node in {} can't run yet", directory.display());
    1
}
