//! The files that the kernel knows, each held by a descriptor: it stays valid when the file is renamed or removed. They
//! have the numbers of the folder's file system.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use rustix::fs::{Mode, OFlags, Stat, fstat, open, openat};
use rustix::io::Errno;

/// The files that the kernel knows.
#[derive(Debug)]
pub struct Inodes {
    root: Arc<OwnedFd>,
    known: Mutex<HashMap<u64, Known>>,
}

#[derive(Debug)]
struct Known {
    descriptor: Arc<OwnedFd>,
    lookups: u64,
}

impl Inodes {
    /// Opens the folder.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let root = Arc::new(open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?);
        Ok(Self { root, known: Mutex::default() })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the descriptor of a file, which can't be read or written through it.
    pub fn get(&self, inode: INodeNo) -> io::Result<Arc<OwnedFd>> {
        if inode == INodeNo::ROOT {
            return Ok(self.root.clone());
        }
        let known = self.known().get(&inode.0).map(|known| known.descriptor.clone());
        known.ok_or_else(|| Errno::STALE.into())
    }

    /// Returns the path by which a file can be opened again.
    pub fn path(&self, inode: INodeNo) -> io::Result<Held> {
        let descriptor = self.get(inode)?;
        Ok(Held { path: format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into(), _descriptor: descriptor })
    }

    /// Opens a file to read it, and to write it if `writes`.
    pub fn open(&self, inode: INodeNo, writes: bool) -> io::Result<File> {
        File::options().read(true).write(writes).open(&self.path(inode)?.path)
    }

    /// Returns a file's attributes.
    pub fn attributes(&self, inode: INodeNo) -> io::Result<FileAttr> {
        Ok(attributes(&fstat(self.get(inode)?)?, inode))
    }

    /// Finds a file in a directory. The kernel knows it from now on.
    pub fn look_up(&self, parent: INodeNo, name: &OsStr) -> io::Result<FileAttr> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = openat(self.get(parent)?.as_fd(), name, flags, Mode::empty())?;
        let stat = fstat(&descriptor)?;
        let mut known = self.known();
        let entry = known.entry(stat.st_ino).or_insert_with(|| Known { descriptor: Arc::new(descriptor), lookups: 0 });
        entry.lookups += 1;
        Ok(attributes(&stat, INodeNo(stat.st_ino)))
    }

    /// Notes that the kernel has forgotten so many look-ups of a file.
    pub fn forget(&self, inode: INodeNo, lookups: u64) {
        let mut known = self.known();
        let Some(entry) = known.get_mut(&inode.0) else { return };
        entry.lookups = entry.lookups.saturating_sub(lookups);
        if entry.lookups == 0 {
            known.remove(&inode.0);
        }
    }
}

/// A path that is valid as long as this value.
pub struct Held {
    /// The path.
    pub path: PathBuf,
    _descriptor: Arc<OwnedFd>,
}

fn attributes(stat: &Stat, inode: INodeNo) -> FileAttr {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the fields' types differ between architectures"
    )]
    FileAttr {
        ino: inode,
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        atime: time(stat.st_atime as i64, stat.st_atime_nsec as u64),
        mtime: time(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
        ctime: time(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        crtime: UNIX_EPOCH,
        kind: kind(rustix::fs::FileType::from_raw_mode(stat.st_mode)),
        perm: (stat.st_mode & 0o7777) as u16,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: stat.st_rdev as u32,
        blksize: stat.st_blksize as u32,
        flags: 0,
    }
}

/// Returns the kernel's type of a file.
pub fn kind(of: rustix::fs::FileType) -> FileType {
    match of {
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::Fifo => FileType::NamedPipe,
        rustix::fs::FileType::Socket => FileType::Socket,
        rustix::fs::FileType::CharacterDevice => FileType::CharDevice,
        rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let since = Duration::from_secs(seconds.unsigned_abs());
    let whole = if seconds < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since };
    whole + Duration::from_nanos(nanoseconds)
}
