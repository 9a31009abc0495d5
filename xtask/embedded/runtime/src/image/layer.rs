//! Unpacks one layer over the earlier ones, below a root that nothing in the layer leads out of.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, linkat, lsetxattr, mkdirat,
    mkfifoat, openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use tar::{Entry, EntryType};

use crate::rooted::{IfMissing, Root, by_descriptor};

/// A layer that unpacks to more is rejected.
const LAYER_BYTES_MAX: u64 = 32 << 30;
const FILE_CAPABILITIES: &str = "security.capability";
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// Unpacks one layer.
pub struct Unpacking<'a> {
    root: &'a Root,
    /// Whether files get the owners that the layer gives them; not possible if only a single user exists.
    owners: bool,
    /// The paths that this layer brought, so that its own whiteouts spare them.
    brought: HashSet<PathBuf>,
    bytes: u64,
    /// The capabilities of the last file, until they are set: a change of owner removes them.
    file_capabilities: Option<Vec<u8>>,
}

/// A place in the tree: an open directory and a name in it.
struct EntryPlace {
    dir: OwnedFd,
    name: OsString,
}

impl<'a> Unpacking<'a> {
    pub fn new(root: &'a Root, owners: bool) -> Self {
        Self { root, owners, brought: HashSet::new(), bytes: 0, file_capabilities: None }
    }

    /// Unpacks all entries, and returns the total size of the files in bytes.
    pub fn run(mut self, layer: impl Read) -> Result<u64> {
        let mut archive = tar::Archive::new(layer);
        for entry in archive.entries().context("read the layer")? {
            let mut entry = entry.context("read the layer")?;
            let path = entry.path().context("read a name in the layer")?.into_owned();
            let inside =
                inside(&path).with_context(|| format!("the entry {} leads out of the image's root", path.display()))?;
            self.unpack(&mut entry, inside).with_context(|| format!("unpack {}", path.display()))?;
        }
        Ok(self.bytes)
    }

    fn unpack(&mut self, entry: &mut Entry<'_, impl Read>, path: PathBuf) -> Result<()> {
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return self.root_itself(entry);
        };
        let parent = path.parent().unwrap_or(Path::new(""));
        let text = name.to_string_lossy();
        if text == OPAQUE {
            return self.clear(parent);
        }
        let dir = self.root.resolve(parent, IfMissing::MakeDirs)?;
        if let Some(hidden) = text.strip_prefix(WHITEOUT) {
            ensure!(!hidden.is_empty() && hidden != "." && hidden != "..", "a whiteout without a name");
            return Ok(remove(&EntryPlace { dir, name: hidden.into() })?);
        }
        let place = EntryPlace { dir, name };
        if self.make(entry, &place)? {
            self.dress(entry, &place)?;
            self.brought.insert(path);
        }
        Ok(())
    }

    /// Creates what the entry describes; returns false for an entry that a container can't have.
    fn make(&mut self, entry: &mut Entry<'_, impl Read>, place: &EntryPlace) -> Result<bool> {
        let kind = entry.header().entry_type();
        let keep = kind == EntryType::Directory && place.kind()? == Some(FileType::Directory);
        if !keep {
            remove(place)?;
        }
        match kind {
            EntryType::Directory if keep => {}
            EntryType::Directory => mkdirat(&place.dir, &place.name, Mode::RWXU)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                ensure!(
                    self.bytes + entry.size() <= LAYER_BYTES_MAX,
                    "the layer unpacks to more than {LAYER_BYTES_MAX} bytes"
                );
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(openat(&place.dir, &place.name, flags, Mode::RUSR | Mode::WUSR)?);
                self.bytes += io::copy(entry, &mut file)?;
                self.file_capabilities = file_capabilities(entry)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.context("a link without a target")?;
                symlinkat(target.as_os_str(), &place.dir, &place.name)?;
            }
            EntryType::Link => self.hard_link(entry, place)?,
            EntryType::Fifo => mkfifoat(&place.dir, &place.name, Mode::RUSR | Mode::WUSR)?,
            // Devices would be useless: a container's file systems are mounted without them.
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn hard_link(&self, entry: &Entry<'_, impl Read>, place: &EntryPlace) -> Result<()> {
        let target = entry.link_name()?.context("a link without a target")?.into_owned();
        let inside =
            inside(&target).with_context(|| format!("it links to {}, outside the image's root", target.display()))?;
        let Some(name) = inside.file_name() else { bail!("it links to the root") };
        let dir = self.root.resolve(inside.parent().unwrap_or(Path::new("")), IfMissing::Fail)?;
        // Without following: a link to a symlink is another name of the symlink.
        linkat(&dir, name, &place.dir, &place.name, AtFlags::empty())
            .with_context(|| format!("link to {}", target.display()))
    }

    /// Sets owner, mode and time.
    fn dress(&mut self, entry: &Entry<'_, impl Read>, place: &EntryPlace) -> Result<()> {
        let header = entry.header();
        let kind = header.entry_type();
        if kind == EntryType::Link {
            return Ok(());
        }
        if self.owners {
            let owner = |id: u64| u32::try_from(id).context("the owner's id exceeds 32 bits");
            let (user, group) = (Uid::from_raw(owner(header.uid()?)?), Gid::from_raw(owner(header.gid()?)?));
            chownat(&place.dir, &place.name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if let Some(value) = self.file_capabilities.take().filter(|_| self.owners) {
            let path = by_descriptor(&place.dir).join(&place.name);
            lsetxattr(path, FILE_CAPABILITIES, &value, XattrFlags::empty()).context("set its capabilities")?;
        }
        if kind != EntryType::Symlink {
            let mut mode = Mode::from_raw_mode(header.mode()? & 0o7777);
            if kind == EntryType::Directory && !self.owners {
                // An ordinary user has to be able to remove it again.
                mode |= Mode::RWXU;
            }
            // This was created a moment ago in a directory that nobody else writes to, and is not a link.
            rustix::fs::chmodat(&place.dir, &place.name, mode, AtFlags::empty())?;
        }
        let time = Timespec { tv_sec: i64::try_from(header.mtime()?).unwrap_or_default(), tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(&place.dir, &place.name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// The entry `./`.
    fn root_itself(&mut self, entry: &Entry<'_, impl Read>) -> Result<()> {
        ensure!(entry.header().entry_type() == EntryType::Directory, "the root is not a directory in this layer");
        let place = EntryPlace { dir: self.root.resolve(Path::new(""), IfMissing::Fail)?, name: ".".into() };
        self.dress(entry, &place)
    }

    /// Empties an opaque directory of everything from the layers below.
    fn clear(&self, dir: &Path) -> Result<()> {
        let found = match self.root.resolve(dir, IfMissing::Fail) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for child in fs::read_dir(by_descriptor(&found))? {
            let name = child?.file_name();
            let path = dir.join(&name);
            if !self.brought.iter().any(|brought| brought.starts_with(&path)) {
                remove(&EntryPlace { dir: found.try_clone()?, name })?;
            } else if self.root.resolve(&path, IfMissing::Fail).is_ok() && !self.brought.contains(&path) {
                self.clear(&path)?;
            }
        }
        Ok(())
    }
}

impl EntryPlace {
    fn kind(&self) -> io::Result<Option<FileType>> {
        match statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Removes a file, or a directory with its whole content.
fn remove(place: &EntryPlace) -> io::Result<()> {
    match place.kind()? {
        None => Ok(()),
        // Below an open directory: std follows no links on its way down.
        Some(FileType::Directory) => fs::remove_dir_all(by_descriptor(&place.dir).join(&place.name)),
        Some(_) => Ok(unlinkat(&place.dir, &place.name, AtFlags::empty())?),
    }
}

/// Returns the capabilities that a program gets regardless of its user, as `setcap` sets them.
fn file_capabilities(entry: &mut Entry<'_, impl Read>) -> Result<Option<Vec<u8>>> {
    let Some(extensions) = entry.pax_extensions().context("read its extensions")? else { return Ok(None) };
    let key = format!("SCHILY.xattr.{FILE_CAPABILITIES}");
    let found = extensions.flatten().find(|extension| extension.key_bytes() == key.as_bytes());
    Ok(found.map(|extension| extension.value_bytes().to_vec()))
}

/// Returns the path below the root, or `None` if it leads out of it.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}
