//! Writes an image archive without Docker: one layer, in both Docker's and OCI's layout, reproducible byte for byte.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Archive, Reference};
use tools::{sha256, sha256_of};

/// An entry in an image's only layer.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Without a leading slash.
    pub path: String,
    /// Its kind.
    pub kind: EntryKind,
}

/// The kind of an entry.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A folder with these permissions.
    Folder(u32),
    /// A file with these permissions and this content.
    File(u32, Vec<u8>),
    /// A file on this machine, executable by everyone. It is read only when it is written: programs are large.
    Program(PathBuf),
    /// A link to this path.
    Symlink(String),
}

/// The image's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `10001`.
    pub user: String,
    /// The program.
    pub entrypoint: Vec<String>,
    /// Its default arguments.
    pub command: Vec<String>,
    /// `PATH=/bin`.
    pub env: Vec<String>,
}

/// Writes the archive atomically.
///
/// # Errors
/// If the file can't be written.
pub fn archive(path: &Path, entries: &[Entry], config: &Config, references: &[Reference]) -> io::Result<Archive> {
    let layer = Blob::file(layer(path, entries)?)?;
    let config = Blob::json(&image_config(config, &layer));
    let manifest = Blob::json(&manifest(&config, &layer));
    let mut builder = tar::Builder::new(begin(path)?);
    for blob in [&layer, &config, &manifest] {
        blob.append_to(&mut builder)?;
    }
    let files = [
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
        ("index.json", index(&manifest, references)),
        ("manifest.json", docker_manifest(&config, &layer, references)),
    ];
    for (name, content) in files {
        let text = content.to_string();
        append_file(&mut builder, name, 0o644, text.len() as u64, text.as_bytes())?;
    }
    let file = builder.into_inner()?;
    use_default_mode(file.as_file())?;
    file.persist(path)?;
    Ok(Archive { path: path.to_owned(), references: references.to_vec() })
}

/// Content that is named by its digest.
struct Blob {
    hex: String,
    size: u64,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    File(File),
}

impl Blob {
    fn file(mut file: File) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { hex: sha256_of(&mut file)?, size: file.metadata()?.len(), content: Content::File(file) })
    }

    fn json(value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        Self { hex: sha256(&bytes), size: bytes.len() as u64, content: Content::Bytes(bytes) }
    }

    fn append_to<W: Write>(&self, builder: &mut tar::Builder<W>) -> io::Result<()> {
        match &self.content {
            Content::Bytes(bytes) => append_file(builder, &self.path(), 0o644, self.size, bytes.as_slice()),
            Content::File(file) => {
                let mut file = file;
                file.rewind()?;
                append_file(builder, &self.path(), 0o644, self.size, file)
            }
        }
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.hex)
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.hex)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest(), "size": self.size})
    }
}

/// Returns the layer in an unnamed file in the archive's folder.
fn layer(archive: &Path, entries: &[Entry]) -> io::Result<File> {
    let mut builder = tar::Builder::new(begin(archive)?.into_file());
    for Entry { path, kind } in entries {
        append(&mut builder, path, kind)?;
    }
    builder.into_inner()
}

fn append<W: Write>(builder: &mut tar::Builder<W>, path: &str, kind: &EntryKind) -> io::Result<()> {
    match kind {
        EntryKind::Folder(mode) => {
            let mut header = header(tar::EntryType::Directory, *mode, 0);
            builder.append_data(&mut header, format!("{path}/"), io::empty())
        }
        EntryKind::File(mode, bytes) => append_file(builder, path, *mode, bytes.len() as u64, bytes.as_slice()),
        EntryKind::Program(program) => {
            let file = File::open(program)?;
            append_file(builder, path, 0o755, file.metadata()?.len(), file)
        }
        EntryKind::Symlink(target) => builder.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), path, target),
    }
}

fn append_file<W: Write>(
    builder: &mut tar::Builder<W>,
    path: &str,
    mode: u32,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    builder.append_data(&mut header(tar::EntryType::Regular, mode, size), path, content)
}

/// Returns a reproducible header: owned by root, dated at the epoch.
fn header(entry_type: tar::EntryType, mode: u32, bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_size(bytes);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn image_config(config: &Config, layer: &Blob) -> Value {
    json!({
        "architecture": oci::architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": config.user,
            "Env": config.env,
            "Entrypoint": config.entrypoint,
            "Cmd": config.command,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask image"}],
    })
}

fn manifest(config: &Blob, layer: &Blob) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
    })
}

/// Returns OCI's table of contents; containerd takes the images' names from the annotations.
fn index(manifest: &Blob, references: &[Reference]) -> Value {
    let named = references.iter().map(|reference| {
        let mut descriptor = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
        descriptor["annotations"] =
            json!({oci::NAME_ANNOTATION: reference.canonical(), oci::REF_NAME_ANNOTATION: reference.tag});
        descriptor["platform"] = json!({"architecture": oci::architecture(), "os": "linux"});
        descriptor
    });
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": named.collect::<Vec<_>>(),
    })
}

/// Returns Docker's table of contents.
fn docker_manifest(config: &Blob, layer: &Blob, references: &[Reference]) -> Value {
    let tags: Vec<_> = references.iter().map(ToString::to_string).collect();
    json!([{"Config": config.path(), "RepoTags": tags, "Layers": [layer.path()]}])
}

/// Returns the temporary file that replaces `path` once it is complete.
fn begin(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    tempfile::NamedTempFile::new_in(dir)
}

/// Makes the archive readable for everyone; temporary files are readable for their owner only.
fn use_default_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
