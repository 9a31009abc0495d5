//! The embedded cluster's program, for tests that start clusters themselves.

use std::path::PathBuf;

use process::Launcher;
use tokio::sync::OnceCell;

/// Returns the path of `embedded-node`, which is compiled once.
pub async fn node_program() -> PathBuf {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || cluster::node_program(&Launcher::light(false)).await.unwrap();
    PROGRAM.get_or_init(build).await.clone()
}
