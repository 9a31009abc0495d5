//! What is open: files, and the entries of directories.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuser::FileHandle;

/// Open things by their handles.
#[derive(Debug)]
pub struct Handles<T> {
    open: Mutex<HashMap<u64, T>>,
    next: AtomicU64,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { open: Mutex::default(), next: AtomicU64::new(1) }
    }
}

impl<T: Clone> Handles<T> {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, T>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, and returns its handle.
    pub fn add(&self, opened: T) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(handle, opened);
        FileHandle(handle)
    }

    /// Returns one.
    pub fn get(&self, handle: FileHandle) -> Option<T> {
        self.open().get(&handle.0).cloned()
    }

    /// Closes one.
    pub fn close(&self, handle: FileHandle) {
        self.open().remove(&handle.0);
    }
}
