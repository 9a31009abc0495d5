//! Descriptors that tokio tells of when they can be read or written.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that stays open for as long as it is watched.
pub type Watched = AsyncFd<Arc<OwnedFd>>;

/// Watches a descriptor; to be called in a tokio runtime.
#[expect(unsafe_code, reason = "sound: the owned descriptor can be neither closed nor replaced while it is watched")]
pub fn watch(descriptor: Arc<OwnedFd>, interest: Interest) -> io::Result<Watched> {
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}
