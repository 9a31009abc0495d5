//! A file system in user space over a folder, mounted on that folder. It passes everything on, and on request it is full
//! or read-only, or loses power: then nothing that is written becomes durable any more, and when power returns, files
//! are as they were when they were last synced.
//!
//! Names are durable at once: a file that was created, renamed or removed stays so, even if the directory was never
//! synced. Only what is in files is lost.

mod fs;
mod handles;
mod inodes;
mod shared;
mod unsynced;

use std::io;
use std::path::Path;
use std::sync::Arc;

use fuser::{BackgroundSession, Config, MountOption, SessionACL};

use crate::fs::Passthrough;
use crate::shared::Shared;

/// What the disk does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DiskState {
    /// It works.
    #[default]
    Works,
    /// Nothing more fits: no file grows, and none is created.
    Full,
    /// Nothing can be changed.
    ReadOnly,
    /// It has no power: nothing can be changed or synced.
    Off,
}

/// A mounted disk. Dropping it unmounts it.
pub struct Disk {
    shared: Arc<Shared>,
    _session: BackgroundSession,
}

impl Disk {
    /// Mounts a disk on a folder, with the folder's content.
    ///
    /// # Errors
    /// If the folder can't be opened, or this machine has no FUSE, or does not let this process use it.
    pub fn mount(folder: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(folder)?);
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("chartproof".to_owned()),
            MountOption::DefaultPermissions,
            MountOption::NoDev,
            MountOption::NoSuid,
        ];
        config.acl = SessionACL::All;
        let session = fuser::spawn_mount(Passthrough(shared.clone()), folder, &config)?;
        Ok(Self { shared, _session: session })
    }

    /// Changes what the disk does.
    pub fn set(&self, state: DiskState) {
        self.shared.set(state);
    }

    /// Returns the files to their state when they were last synced; returns how many had changed since. Call it while
    /// the disk has no power, and once no process uses it.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn lose_unsynced(&self) -> io::Result<usize> {
        self.shared.unsynced().lose()
    }
}
