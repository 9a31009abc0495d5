//! The file system: every request of the kernel is passed on to the folder, if the disk's state allows it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid, chownat,
    fallocate, fstatvfs, linkat, mkdirat, mknodat, openat, readlinkat, renameat_with, symlinkat, unlinkat, utimensat,
};

use super::DiskState;
use crate::inodes::Inodes;
use crate::shared::{Access, Shared, opened_with};

/// The kernel asks again each time: the folder changes without it when power is lost.
const TTL: Duration = Duration::ZERO;

fn times(access: Option<TimeOrNow>, change: Option<TimeOrNow>) -> Timestamps {
    let spec = |time: Option<TimeOrNow>| match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(TimeOrNow::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(TimeOrNow::SpecificTime(time)) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            let tv_sec = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            Timespec { tv_sec, tv_nsec: since.subsec_nanos().into() }
        }
    };
    Timestamps { last_access: spec(access), last_modification: spec(change) }
}

/// The file system.
pub struct Passthrough(pub Arc<Shared>);

/// Replies with the result of a request.
macro_rules! reply {
    ($reply:ident.$ok:ident, $result:expr, |$value:pat_param| ($($argument:expr),*)) => {
        let result: io::Result<_> = $result;
        match result {
            Ok($value) => $reply.$ok($($argument),*),
            Err(error) => $reply.error(Errno::from(error)),
        }
    };
}

impl Filesystem for Passthrough {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        reply!(reply.entry, self.0.inodes.look_up(parent, name), |found| (&TTL, &found, Generation(0)));
    }

    fn forget(&self, _: &Request, inode: INodeNo, lookups: u64) {
        self.0.inodes.forget(inode, lookups);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply!(reply.attr, self.0.inodes.attributes(inode), |found| (&TTL, &found));
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = || {
            self.0.allows(Access::Changes)?;
            let held = self.0.inodes.path(inode)?;
            if let Some(size) = size {
                self.0.resize(inode, size)?;
            }
            if uid.is_some() || gid.is_some() {
                let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
                chownat(self.0.inodes.get(inode)?.as_fd(), "", uid, gid, AtFlags::EMPTY_PATH)?;
            }
            if let Some(mode) = mode {
                fs::set_permissions(&held.path, fs::Permissions::from_mode(mode & 0o7777))?;
            }
            if atime.is_some() || mtime.is_some() {
                utimensat(CWD, &held.path, &times(atime, mtime), AtFlags::empty())?;
            }
            self.0.inodes.attributes(inode)
        };
        reply!(reply.attr, set(), |found| (&TTL, &found));
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        let read = || Ok(readlinkat(self.0.inodes.get(inode)?.as_fd(), "", Vec::new())?);
        reply!(reply.data, read(), |target| (target.to_bytes()));
    }

    fn mknod(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, rdev: u32, reply: ReplyEntry) {
        let make = |inodes: &Inodes| {
            let (kind, mode) = (rustix::fs::FileType::from_raw_mode(mode), Mode::from_raw_mode(mode));
            Ok(mknodat(inodes.get(parent)?.as_fd(), name, kind, mode, rdev.into())?)
        };
        reply!(reply.entry, self.0.add(request, (parent, name), make), |made| (&TTL, &made, Generation(0)));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let make = |inodes: &Inodes| Ok(mkdirat(inodes.get(parent)?.as_fd(), name, Mode::from_raw_mode(mode))?);
        reply!(reply.entry, self.0.add(request, (parent, name), make), |made| (&TTL, &made, Generation(0)));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let make = |inodes: &Inodes| Ok(symlinkat(target, inodes.get(parent)?.as_fd(), name)?);
        reply!(reply.entry, self.0.add(request, (parent, name), make), |made| (&TTL, &made, Generation(0)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = || {
            self.0.allows(Access::Changes)?;
            Ok(unlinkat(self.0.inodes.get(parent)?.as_fd(), name, AtFlags::empty())?)
        };
        reply!(reply.ok, remove(), |()| ());
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = || {
            self.0.allows(Access::Changes)?;
            Ok(unlinkat(self.0.inodes.get(parent)?.as_fd(), name, AtFlags::REMOVEDIR)?)
        };
        reply!(reply.ok, remove(), |()| ());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let rename = || {
            self.0.allows(Access::Changes)?;
            let (from, to) = (self.0.inodes.get(parent)?, self.0.inodes.get(new_parent)?);
            let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
            Ok(renameat_with(from.as_fd(), name, to.as_fd(), new_name, flags)?)
        };
        reply!(reply.ok, rename(), |()| ());
    }

    fn link(&self, _: &Request, inode: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let link = || {
            self.0.allows(Access::Grows)?;
            let (held, directory) = (self.0.inodes.path(inode)?, self.0.inodes.get(parent)?);
            linkat(CWD, &held.path, directory.as_fd(), name, AtFlags::SYMLINK_FOLLOW)?;
            self.0.inodes.look_up(parent, name)
        };
        reply!(reply.entry, link(), |made| (&TTL, &made, Generation(0)));
    }

    fn open(&self, _: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let open = || {
            let writes = !(opened_with(flags) & OFlags::ACCMODE).is_empty();
            if writes && self.0.state() == DiskState::ReadOnly {
                self.0.allows(Access::Changes)?;
            }
            Ok(self.0.files.add(Arc::new(self.0.inodes.open(inode, writes)?)))
        };
        reply!(reply.opened, open(), |handle| (handle, FopenFlags::empty()));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let create = || {
            let only = OFlags::from_bits_retain(flags.cast_unsigned()) & OFlags::EXCL;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | only;
            let make = |inodes: &Inodes| {
                Ok(openat(inodes.get(parent)?.as_fd(), name, flags, Mode::from_raw_mode(mode)).map(drop)?)
            };
            let made = self.0.add(request, (parent, name), make)?;
            let file = self.0.inodes.open(made.ino, true)?;
            // It is there at once, but empty until it is synced.
            self.0.before_change(made.ino, &file, 0..0)?;
            Ok((made, self.0.files.add(Arc::new(file))))
        };
        reply!(reply.created, create(), |(made, handle)| (&TTL, &made, Generation(0), handle, FopenFlags::empty()));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = || {
            let file = self.0.file(handle)?;
            let mut bytes = vec![0; size as usize];
            let count = file.read_at(&mut bytes, offset)?;
            bytes.truncate(count);
            Ok(bytes)
        };
        reply!(reply.data, read(), |bytes| (&bytes));
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply!(reply.written, self.0.write((inode, handle), offset, data, flags), |count| (count));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.0.files.close(handle);
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply!(reply.ok, self.0.sync(inode), |()| ());
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let allocate = || {
            self.0.allows(Access::Grows)?;
            let file = self.0.file(handle)?;
            self.0.before_change(inode, &file, offset..offset.saturating_add(length))?;
            Ok(fallocate(&*file, FallocateFlags::from_bits_retain(mode.cast_unsigned()), offset, length)?)
        };
        reply!(reply.ok, allocate(), |()| ());
    }

    fn opendir(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let open = || Ok(self.0.directories.add(Arc::new(self.0.entries(inode)?)));
        reply!(reply.opened, open(), |handle| (handle, FopenFlags::empty()));
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let Some(entries) = self.0.directories.get(handle) else { return reply.error(Errno::EBADF) };
        for (next, entry) in (1..).zip(entries.iter()).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            if reply.add(INodeNo(entry.inode), next, entry.kind, &entry.name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.0.directories.close(handle);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply!(reply.ok, self.0.allows(Access::Syncs), |()| ());
    }

    fn statfs(&self, _: &Request, inode: INodeNo, reply: ReplyStatfs) {
        let room = if self.0.state() == DiskState::Full { 0 } else { u64::MAX };
        let find = || Ok(fstatvfs(self.0.inodes.get(inode)?)?);
        #[expect(clippy::cast_possible_truncation, reason = "sizes of blocks and lengths of names are small")]
        let small = |number: u64| number as u32;
        reply!(reply.statfs, find(), |found| (
            found.f_blocks,
            found.f_bfree.min(room),
            found.f_bavail.min(room),
            found.f_files,
            found.f_ffree,
            small(found.f_bsize),
            small(found.f_namemax),
            small(found.f_frsize)
        ));
    }
}
