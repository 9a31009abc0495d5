//! The images of the node: unpacked from archives, or served by the host.

mod archive;
mod candidate;
mod docker;
mod host;
mod layer;
mod layout;
mod manifest;
mod reference;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use oci::Reference;
use sha2::{Digest, Sha256};

use self::archive::{Archive, Hashing, decompress};
use self::candidate::{Candidate, LayerFile};
pub use self::host::serves as host_serves;
use self::layer::Unpacking;
use crate::hex;
use crate::rooted::Root;
use crate::spec::{Image, Mount, RuntimeError};
use crate::trees::remove_tree;

/// An image from which containers can be created.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// Its description.
    pub image: Image,
    /// Its files, shared by all containers and never written to.
    pub tree: PathBuf,
    /// The directories and files of the host that belong to it.
    pub host: Vec<Mount>,
}

/// The images of one node.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Whether files get their owners; a node with a single user can't give files to others.
    owners: bool,
    /// By full reference, tags and digests.
    images: Mutex<BTreeMap<String, Unpacked>>,
    unpacked: AtomicU64,
}

impl Store {
    /// Creates an empty store below `dir`, readable only by its owner: images contain setuid programs.
    pub fn new(dir: &Path, owners: bool) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.with_context(|| format!("create the directory {}", dir.display()))?;
        Ok(Self { dir: dir.into(), owners, images: Mutex::default(), unpacked: AtomicU64::new(0) })
    }

    /// Loads all images of an archive, and returns their full references.
    pub fn load(&self, path: &Path) -> Result<Vec<String>> {
        let archive = Archive::open(path, &self.dir)?;
        let candidates = manifest::candidates(&archive).with_context(|| format!("load {}", path.display()))?;
        let mut loaded: BTreeMap<String, Unpacked> = BTreeMap::new();
        for candidate in candidates {
            let unpacked = self.unpack(&archive, &candidate);
            let unpacked = unpacked.with_context(|| format!("load {} of {}", describe(&candidate), path.display()))?;
            for name in names(&candidate) {
                // If an image exists for several platforms, the one for this machine counts.
                if candidate.config.runs_here() || !loaded.contains_key(&name) {
                    let image = Image { reference: name.clone(), ..unpacked.image.clone() };
                    loaded.insert(name, Unpacked { image, ..unpacked.clone() });
                }
            }
        }
        let tags: Vec<String> = loaded.keys().filter(|name| !name.contains('@')).cloned().collect();
        let ids = || loaded.values().map(|one| one.image.id.clone()).collect();
        let answer = if tags.is_empty() { ids() } else { tags };
        self.images.lock().unwrap_or_else(PoisonError::into_inner).append(&mut loaded);
        Ok(answer)
    }

    /// Returns the image that a reference names.
    pub fn find(&self, text: &str) -> Result<Unpacked, RuntimeError> {
        let not_found = |reference: String, why: &str| RuntimeError::ImageNotFound { reference, why: why.into() };
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = images.get(text) {
            return Ok(image.clone());
        }
        let reference = reference::parse(text)?;
        let full = reference.lookup_name();
        if let Some(image) = images.get(&full) {
            return Ok(image.clone());
        }
        match host::serve(&reference, &self.dir.join("host")) {
            Some(Ok(image)) => {
                images.insert(full, image.clone());
                Ok(image)
            }
            Some(Err(why)) => Err(not_found(full, &why)),
            None => Err(not_found(full, "it is in no loaded archive")),
        }
    }

    /// Returns all images, one entry for each tag.
    pub fn all(&self) -> Vec<Image> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.iter().filter(|(name, _)| !name.contains('@')).map(|(_, one)| one.image.clone()).collect()
    }

    fn unpack(&self, archive: &Archive, candidate: &Candidate) -> Result<Unpacked> {
        let (tree, size_bytes) = if candidate.config.runs_here() {
            self.tree(archive, candidate)?
        } else {
            // Kept for its description; it is never run.
            (self.dir.clone(), 0)
        };
        let process = candidate.config.process.clone().unwrap_or_default();
        let image = Image {
            reference: String::new(),
            id: candidate.id.clone(),
            repo_digests: repo_digests(candidate),
            platform: candidate.config.platform(),
            size_bytes,
            entrypoint: process.entrypoint.unwrap_or_default(),
            cmd: process.cmd.unwrap_or_default(),
            env: process.env.unwrap_or_default(),
            user: process.user.unwrap_or_default(),
            working_dir: process.working_dir.unwrap_or_default(),
            volumes: process.volumes.unwrap_or_default().into_iter().map(|(path, _)| path).collect(),
            stop_signal: process.stop_signal,
            from_host: false,
        };
        Ok(Unpacked { image, tree, host: Vec::new() })
    }

    /// Returns the directory with all layers of an image unpacked over one another, and its size.
    fn tree(&self, archive: &Archive, candidate: &Candidate) -> Result<(PathBuf, u64)> {
        let ids = &candidate.config.rootfs.diff_ids;
        ensure!(
            ids.len() == candidate.layers.len(),
            "its configuration names {} layers, its manifest {}",
            ids.len(),
            candidate.layers.len()
        );
        let name = digest(ids.join(" ").as_bytes()).replacen("sha256:", "tree-", 1);
        let (tree, size_file) = (self.dir.join(&name), self.dir.join(format!("{name}.size")));
        if let Ok(size) = fs::read_to_string(&size_file) {
            return Ok((tree, size.parse().unwrap_or_default()));
        }
        let number = self.unpacked.fetch_add(1, Ordering::Relaxed);
        let fresh = UnfinishedTree(self.dir.join(format!("unpacking-{number}")));
        fs::create_dir(&fresh.0).with_context(|| format!("create the directory {}", fresh.0.display()))?;
        fs::set_permissions(&fresh.0, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let root = Root::open(&fresh.0).context("open the image's tree")?;
        let mut size_bytes = 0;
        for (layer, id) in candidate.layers.iter().zip(ids) {
            size_bytes += self.layer(archive, &root, layer, id).with_context(|| format!("layer {}", layer.file))?;
        }
        // Another load may have been faster: its tree is the same.
        if fs::rename(&fresh.0, &tree).is_ok() {
            fs::write(&size_file, size_bytes.to_string()).context("record the image's size")?;
        }
        Ok((tree, size_bytes))
    }

    fn layer(&self, archive: &Archive, root: &Root, layer: &LayerFile, diff_id: &str) -> Result<u64> {
        let mut packed = Hashing::new(BufReader::with_capacity(1 << 16, archive.read(&layer.file)?));
        let mut plain = Hashing::new(decompress(BufReader::with_capacity(1 << 16, &mut packed), &layer.file)?);
        let size = Unpacking::new(root, self.owners).run(&mut plain)?;
        let found = plain.finish().context("read to its end")?;
        ensure!(found == *diff_id, "unpacked, it has the digest {found}, not {diff_id}: it was changed or damaged");
        let found = packed.finish().context("read to its end")?;
        if let Some(digest) = &layer.digest {
            // Old archives name layers by their unpacked digest, newer ones by that of the file.
            ensure!(found == *digest || digest == diff_id, "it has the digest {found}, not {digest}: it was changed");
        }
        Ok(size)
    }
}

/// A directory that is being filled; removed when this value is dropped, unless it was renamed.
struct UnfinishedTree(PathBuf);

impl Drop for UnfinishedTree {
    fn drop(&mut self) {
        let _ = remove_tree(&self.0);
    }
}

fn describe(candidate: &Candidate) -> String {
    candidate.names.first().map_or_else(|| candidate.id.clone(), Reference::lookup_name)
}

/// Returns all names under which an image can be requested.
fn names(candidate: &Candidate) -> Vec<String> {
    let mut names: Vec<String> = candidate.names.iter().map(Reference::lookup_name).collect();
    names.extend(repo_digests(candidate));
    names.push(format!("@{}", candidate.id));
    names
}

fn repo_digests(candidate: &Candidate) -> Vec<String> {
    let mut digests: Vec<String> = candidate
        .names
        .iter()
        .flat_map(|name| candidate.manifests.iter().map(|digest| format!("{}@{digest}", name.full_repository())))
        .collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::hex(&Sha256::digest(bytes)))
}
