//! An image archive: a tar file, read by name without being unpacked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tar::EntryType;

/// Larger manifests and configurations are rejected.
const METADATA_BYTES_MAX: u64 = 8 << 20;
/// The number of bytes that are read of a compressed archive.
const ARCHIVE_BYTES_MAX: u64 = 64 << 30;
/// Archives with more entries are rejected: an image has a few for each layer.
const ENTRIES_MAX: usize = 100_000;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The positions of an archive's files.
pub struct Archive {
    file: File,
    entries: HashMap<String, Entry>,
}

/// A part of a file, read without moving the file's own position.
pub struct Section<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buf.len().min(left);
        let count = self.file.read_at(&mut buf[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(by) = to else { return Err(io::Error::from(io::ErrorKind::Unsupported)) };
        self.at = self.at.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

enum Entry {
    File {
        offset: u64,
        bytes: u64,
    },
    /// Another name of a file: older versions of `docker save` link equal layers.
    Link(String),
}

impl Archive {
    /// Reads the table of an archive; a compressed one is first unpacked to an unnamed file in `scratch`.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let mut magic = [0; 4];
        let read = file.read(&mut magic).with_context(|| format!("read {}", path.display()))?;
        file.rewind()?;
        ensure!(magic != ZSTD_MAGIC, "{} is compressed with zstd; save it uncompressed or with gzip", path.display());
        if magic[..read].starts_with(&GZIP_MAGIC) {
            let mut plain = tempfile::tempfile_in(scratch).context("create a file to decompress to")?;
            io::copy(&mut MultiGzDecoder::new(BufReader::new(file)).take(ARCHIVE_BYTES_MAX), &mut plain)
                .with_context(|| format!("decompress {}", path.display()))?;
            file = plain;
        }
        let entries =
            table(&file).with_context(|| format!("{} is not a tar archive, or is damaged", path.display()))?;
        Ok(Self { file, entries })
    }

    /// Returns whether it has a file of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Returns the content of a file.
    pub fn read(&self, name: &str) -> Result<Section<'_>> {
        let (at, bytes) = self.place(name)?;
        Ok(Section { file: &self.file, at, end: at.saturating_add(bytes) })
    }

    /// Returns the whole content of a small file.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let (_, bytes) = self.place(name)?;
        ensure!(bytes <= METADATA_BYTES_MAX, "{name} has {bytes} bytes, but at most {METADATA_BYTES_MAX} are accepted");
        let mut content = Vec::new();
        self.read(name)?.read_to_end(&mut content).with_context(|| format!("read {name}"))?;
        ensure!(content.len() as u64 == bytes, "{name} is truncated: the archive is incomplete");
        Ok(content)
    }

    /// Parses a small JSON file; also returns its digest.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<(T, String)> {
        let content = self.bytes(name)?;
        let parsed = serde_json::from_slice(&content).with_context(|| format!("read {name}"))?;
        Ok((parsed, format!("sha256:{}", crate::hex::hex(&Sha256::digest(&content)))))
    }

    fn place(&self, name: &str) -> Result<(u64, u64)> {
        let mut name =
            normal(Path::new(name)).with_context(|| format!("{name:?} is not a valid name in an archive"))?;
        for _ in 0..8 {
            match self.entries.get(&name) {
                Some(Entry::File { offset, bytes }) => return Ok((*offset, *bytes)),
                Some(Entry::Link(target)) => name.clone_from(target),
                None => bail!("{name} is not in the archive"),
            }
        }
        bail!("{name} is a link to a link to a link")
    }
}

fn table(file: &File) -> Result<HashMap<String, Entry>> {
    let mut entries = HashMap::new();
    let mut archive = tar::Archive::new(BufReader::new(Section { file, at: 0, end: u64::MAX }));
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = normal(&path) else { continue };
        let place = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                Entry::File { offset: entry.raw_file_position(), bytes: entry.size() }
            }
            EntryType::Link => Entry::Link(link_target(&entry, Path::new(""))?),
            EntryType::Symlink => Entry::Link(link_target(&entry, path.parent().unwrap_or(Path::new("")))?),
            _ => continue,
        };
        entries.insert(name, place);
        ensure!(entries.len() <= ENTRIES_MAX, "it has more than {ENTRIES_MAX} files");
    }
    Ok(entries)
}

fn link_target<R: Read>(entry: &tar::Entry<'_, R>, relative_to: &Path) -> Result<String> {
    let target = entry.link_name()?.context("a link without a target")?;
    normal(&relative_to.join(&target)).with_context(|| format!("a link to {}", target.display()))
}

/// Returns the name without `.` and `..`, or `None` if it leads out of the archive or isn't text.
fn normal(path: &Path) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::ParentDir => {
                names.pop()?;
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(names.join("/"))
}

/// Reads a layer, decompressing it if necessary.
pub fn decompress<'a>(mut layer: impl io::BufRead + 'a, name: &str) -> Result<Box<dyn Read + 'a>> {
    let start = layer.fill_buf().with_context(|| format!("read {name}"))?;
    ensure!(!start.starts_with(&ZSTD_MAGIC), "{name} is compressed with zstd; save the image with gzip layers");
    if start.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(MultiGzDecoder::new(layer)));
    }
    Ok(Box::new(layer))
}

/// Computes a digest of what is read through it.
pub struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// Reads the rest, and returns the digest of everything.
    pub fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(format!("sha256:{}", crate::hex::hex(&self.hash.finalize())))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.hash.update(&buf[..count]);
        Ok(count)
    }
}
