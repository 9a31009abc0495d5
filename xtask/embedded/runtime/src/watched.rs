//! Descriptors that tokio watches for readiness.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that stays open for as long as it is watched.
pub type Watched = AsyncFd<Arc<OwnedFd>>;

/// Watches a descriptor; call it in a tokio runtime.
#[expect(unsafe_code, reason = "sound: the owned descriptor can be neither closed nor replaced while it is watched")]
pub fn watch(descriptor: Arc<OwnedFd>, interest: Interest) -> io::Result<Watched> {
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}
