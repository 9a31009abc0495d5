//! What has changed in files since they were last synced: the old content of every page that was overwritten, and the
//! old length. Content that was appended needs no copy, since the old length cuts it off.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

const PAGE: u64 = 4096;

/// How many old pages are kept of one file: after that the system is taken to have written it back by itself, as a
/// kernel does in time.
const PAGES_MAX: usize = 64 << 10;

/// The changes of all files, by inode.
#[derive(Debug, Default)]
pub struct Unsynced(HashMap<u64, Changed>);

#[derive(Debug)]
struct Changed {
    file: File,
    synced_bytes: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Changed {
    fn new(file: &File) -> io::Result<Self> {
        Ok(Self { file: file.try_clone()?, synced_bytes: file.metadata()?.len(), pages: BTreeMap::new() })
    }
}

impl Unsynced {
    /// Keeps the old content of a range that is about to be overwritten or cut off. `file` must be readable and writable.
    pub fn before_change(&mut self, inode: u64, file: &File, range: Range<u64>) -> io::Result<()> {
        let changed = match self.0.entry(inode) {
            Entry::Occupied(changed) => changed.into_mut(),
            Entry::Vacant(unchanged) => unchanged.insert(Changed::new(file)?),
        };
        let end = range.end.min(changed.synced_bytes);
        for page in range.start / PAGE..end.div_ceil(PAGE) {
            if !changed.pages.contains_key(&page) {
                let old = read(&changed.file, page * PAGE, PAGE.min(changed.synced_bytes - page * PAGE))?;
                changed.pages.insert(page, old);
            }
        }
        if changed.pages.len() > PAGES_MAX {
            self.synced(inode);
        }
        Ok(())
    }

    /// Notes that a file is durable as it is now.
    pub fn synced(&mut self, inode: u64) {
        self.0.remove(&inode);
    }

    /// Returns every file to its state when it was last synced; returns how many had changed.
    pub fn lose(&mut self) -> io::Result<usize> {
        let lost = self.0.len();
        for changed in std::mem::take(&mut self.0).into_values() {
            changed.file.set_len(changed.synced_bytes)?;
            for (page, old) in changed.pages {
                changed.file.write_all_at(&old, page * PAGE)?;
            }
        }
        Ok(lost)
    }
}

/// Reads this many bytes; a file that has become shorter since has zeros there, which are overwritten anyway.
fn read(file: &File, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(count).map_err(io::Error::other)?];
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64)? {
            0 => break,
            more => done += more,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, File) {
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), content).unwrap();
        let file = File::options().read(true).write(true).open(named.path()).unwrap();
        (named, file)
    }

    fn write(unsynced: &mut Unsynced, file: &File, offset: u64, bytes: &[u8]) {
        unsynced.before_change(7, file, offset..offset + bytes.len() as u64).unwrap();
        file.write_all_at(bytes, offset).unwrap();
    }

    #[test]
    fn what_was_not_synced_is_lost() {
        let old: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let (named, file) = file(&old);
        let mut unsynced = Unsynced::default();
        write(&mut unsynced, &file, 4090, &[255; 5000]);
        write(&mut unsynced, &file, 9990, &[254; 300]);
        unsynced.before_change(7, &file, 100..u64::MAX).unwrap();
        file.set_len(100).unwrap();
        write(&mut unsynced, &file, 50, &[253; 12_000]);
        assert_eq!(unsynced.lose().unwrap(), 1);
        assert_eq!(std::fs::read(named.path()).unwrap(), old);
        assert_eq!(unsynced.lose().unwrap(), 0);
    }

    #[test]
    fn what_was_synced_stays() {
        let (named, file) = file(b"");
        let mut unsynced = Unsynced::default();
        write(&mut unsynced, &file, 0, b"synced");
        unsynced.synced(7);
        write(&mut unsynced, &file, 6, b" and not");
        write(&mut unsynced, &file, 0, b"S");
        unsynced.lose().unwrap();
        assert_eq!(std::fs::read(named.path()).unwrap(), b"synced");
    }
}
