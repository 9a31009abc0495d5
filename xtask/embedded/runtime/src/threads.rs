//! Work that needs a thread of its own because namespaces belong to threads.

use anyhow::{Context, Result};
use tokio::sync::oneshot;

/// Runs `work` on a new thread that ends with it, and waits for the result.
pub async fn on_own_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (answer, result) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || drop(answer.send(work())))
        .with_context(|| format!("start the thread {name}"))?;
    result.await.with_context(|| format!("the thread {name} ended without a result"))?
}
