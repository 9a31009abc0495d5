//! What a disk and its file system share: the open files, what was not synced, and the disk's state.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{FileAttr, FileHandle, FileType, INodeNo, OpenFlags, Request};
use rustix::fs::{AtFlags, Dir, Gid, Mode, OFlags, Uid, chownat, openat};

use super::DiskState;
use crate::handles::Handles;
use crate::inodes::{Inodes, kind};
use crate::unsynced::Unsynced;

/// What the disk and its file system share.
#[derive(Debug)]
pub struct Shared {
    pub inodes: Inodes,
    pub files: Handles<Arc<File>>,
    pub directories: Handles<Arc<Vec<Entry>>>,
    unsynced: Mutex<Unsynced>,
    state: Mutex<DiskState>,
}

/// An entry of a directory.
#[derive(Debug)]
pub struct Entry {
    pub inode: u64,
    pub kind: FileType,
    pub name: OsString,
}

/// What a request does to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It changes something, but needs no more room.
    Changes,
    /// It needs room.
    Grows,
    /// It makes something durable.
    Syncs,
}

impl Shared {
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            inodes: Inodes::new(folder)?,
            files: Handles::default(),
            directories: Handles::default(),
            unsynced: Mutex::default(),
            state: Mutex::default(),
        })
    }

    pub fn set(&self, state: DiskState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn state(&self) -> DiskState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn allows(&self, access: Access) -> io::Result<()> {
        match (self.state(), access) {
            (DiskState::Off, _) => Err(rustix::io::Errno::IO.into()),
            (DiskState::ReadOnly, Access::Changes | Access::Grows) => Err(rustix::io::Errno::ROFS.into()),
            (DiskState::Full, Access::Grows) => Err(rustix::io::Errno::NOSPC.into()),
            _ => Ok(()),
        }
    }

    pub fn file(&self, handle: FileHandle) -> io::Result<Arc<File>> {
        self.files.get(handle).ok_or_else(|| rustix::io::Errno::BADF.into())
    }

    pub fn before_change(&self, inode: INodeNo, file: &File, range: Range<u64>) -> io::Result<()> {
        self.unsynced().before_change(inode.0, file, range)
    }

    pub fn write(
        &self,
        (inode, handle): (INodeNo, FileHandle),
        offset: u64,
        data: &[u8],
        flags: OpenFlags,
    ) -> io::Result<u32> {
        let (file, end) = (self.file(handle)?, offset + data.len() as u64);
        let grows = end > file.metadata()?.len();
        self.allows(if grows { Access::Grows } else { Access::Changes })?;
        self.before_change(inode, &file, offset..end)?;
        file.write_all_at(data, offset)?;
        if opened_with(flags).contains(OFlags::DSYNC) {
            self.sync(inode)?;
        }
        u32::try_from(data.len()).map_err(io::Error::other)
    }

    pub fn sync(&self, inode: INodeNo) -> io::Result<()> {
        self.allows(Access::Syncs)?;
        self.unsynced().synced(inode.0);
        Ok(())
    }

    pub fn resize(&self, inode: INodeNo, size: u64) -> io::Result<()> {
        let file = self.inodes.open(inode, true)?;
        self.allows(if size > file.metadata()?.len() { Access::Grows } else { Access::Changes })?;
        self.before_change(inode, &file, size..u64::MAX)?;
        file.set_len(size)
    }

    /// Runs a change that adds a name to a directory, gives the file to the process that asked, and looks it up.
    pub fn add(
        &self,
        request: &Request,
        (parent, name): (INodeNo, &OsStr),
        make: impl FnOnce(&Inodes) -> io::Result<()>,
    ) -> io::Result<FileAttr> {
        self.allows(Access::Grows)?;
        make(&self.inodes)?;
        let (uid, gid) = (Uid::from_raw(request.uid()), Gid::from_raw(request.gid()));
        let directory = self.inodes.get(parent)?;
        // A node that knows a single user can't give files away; they all are that user's there.
        let _ = chownat(directory.as_fd(), name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
        self.inodes.look_up(parent, name)
    }

    pub fn entries(&self, inode: INodeNo) -> io::Result<Vec<Entry>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(self.inodes.get(inode)?.as_fd(), ".", flags, Mode::empty())?;
        let entry = |found: rustix::io::Result<rustix::fs::DirEntry>| {
            let found = found?;
            let name = OsStr::from_bytes(found.file_name().to_bytes()).to_owned();
            Ok(Entry { inode: found.ino(), kind: kind(found.file_type()), name })
        };
        Dir::read_from(opened)?.map(entry).collect()
    }
}

/// Returns the flags with which a file was opened.
pub fn opened_with(flags: OpenFlags) -> OFlags {
    OFlags::from_bits_retain(flags.0.cast_unsigned())
}
