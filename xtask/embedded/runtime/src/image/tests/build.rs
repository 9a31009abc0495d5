//! Builds image archives, valid and invalid ones.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::image::digest;

/// A tar file under construction. Names are written unchanged, even `..`.
#[derive(Default)]
pub struct Tar {
    entries: Vec<(EntryType, String, String, Vec<u8>)>,
}

impl Tar {
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_ref())
    }

    pub fn dir(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", &[])
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, &[])
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, &[])
    }

    pub fn entry(mut self, kind: EntryType, name: &str, target: &str, content: &[u8]) -> Self {
        self.entries.push((kind, name.into(), target.into(), content.into()));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (kind, name, target, content) in &self.entries {
            let mut header = Header::new_gnu();
            let old = header.as_old_mut();
            old.name[..name.len()].copy_from_slice(name.as_bytes());
            old.linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(if *kind == EntryType::Directory { 0o755 } else { 0o640 });
            header.set_mtime(1_000_000_000);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, content.as_slice()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    pub fn gzip(&self) -> Vec<u8> {
        gzip(&self.bytes())
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns an image's configuration for an architecture.
pub fn config(architecture: &str, layers: &[Vec<u8>]) -> Value {
    let ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    json!({
        "os": "linux",
        "architecture": architecture,
        "config": {"Entrypoint": ["/app"], "Cmd": null, "Env": ["A=1"], "User": "10", "WorkingDir": "/w"},
        "rootfs": {"type": "layers", "diff_ids": ids},
    })
}

/// Returns this machine's architecture, and another.
pub fn architectures() -> (&'static str, &'static str) {
    if cfg!(target_arch = "x86_64") { ("amd64", "arm64") } else { ("arm64", "amd64") }
}

/// Builds an archive as `docker save` wrote it before version 25.
pub fn docker_archive(layers: &[Vec<u8>], config: &Value, tags: &[&str]) -> Tar {
    let config = config.to_string();
    let name = format!("{}.json", digest(config.as_bytes()).replace("sha256:", ""));
    let files: Vec<String> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let manifest = json!([{"Config": name, "RepoTags": tags, "Layers": files}]);
    let archive = Tar::default().file(&name, config).file("manifest.json", manifest.to_string());
    files.iter().zip(layers).fold(archive, |archive, (file, layer)| archive.file(file, layer))
}

/// An OCI layout under construction.
#[derive(Default)]
pub struct Layout {
    pub tar: Tar,
}

impl Layout {
    /// Adds a blob, and returns its descriptor.
    pub fn blob(&mut self, media_type: &str, content: impl AsRef<[u8]>) -> Value {
        let digest = digest(content.as_ref());
        let name = format!("blobs/{}", digest.replace(':', "/"));
        self.tar = std::mem::take(&mut self.tar).file(&name, content.as_ref());
        json!({"mediaType": media_type, "digest": digest, "size": content.as_ref().len()})
    }

    /// Adds an image with gzip layers, and returns its manifest's descriptor.
    pub fn image(&mut self, architecture: &str, layers: &[Vec<u8>]) -> Value {
        let config = config(architecture, layers).to_string();
        let config = self.blob("application/vnd.oci.image.config.v1+json", config);
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<Value> = layers.iter().map(|layer| self.blob(media_type, gzip(layer))).collect();
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers}).to_string();
        let mut descriptor = self.blob("application/vnd.oci.image.manifest.v1+json", manifest);
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    }

    /// Adds an index of several, and returns its descriptor.
    pub fn index(&mut self, manifests: &[Value]) -> Value {
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        self.blob("application/vnd.oci.image.index.v1+json", index)
    }

    /// Completes the layout with one named descriptor.
    pub fn finish(self, mut descriptor: Value, name: &str) -> Tar {
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        let index = json!({"schemaVersion": 2, "manifests": [descriptor]});
        self.tar.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#).file("index.json", index.to_string())
    }
}
