//! Tests with valid archives, and with archives that can't be loaded.

use std::path::PathBuf;

use super::super::write::{self, Config, Entry, EntryKind};
use super::*;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("image.tar")
    }

    /// Writes a tar archive of text files.
    fn tar(&self, files: &[(&str, &str)]) -> PathBuf {
        let mut builder = tar::Builder::new(File::create(self.path()).unwrap());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        builder.finish().unwrap();
        self.path()
    }

    fn bytes(&self, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(), bytes).unwrap();
        self.path()
    }

    fn image(&self, references: &[&str]) -> PathBuf {
        let entries = [
            Entry { path: "bin".to_owned(), kind: EntryKind::Folder(0o755) },
            Entry { path: "bin/app".to_owned(), kind: EntryKind::File(0o755, b"app".repeat(1000)) },
            Entry { path: "bin/sh".to_owned(), kind: EntryKind::Symlink("app".to_owned()) },
        ];
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let config = Config {
            user: "10001".to_owned(),
            entrypoint: strings(&["/bin/app"]),
            command: strings(&["start"]),
            env: strings(&["PATH=/bin"]),
        };
        let references: Vec<Reference> = references.iter().map(|text| text.parse().unwrap()).collect();
        write::archive(&self.path(), &entries, &config, &references).unwrap().path
    }
}

fn message(path: &Path) -> String {
    let error = check(path).unwrap_err();
    assert_eq!(exit::of(&error), exit::Exit::Usage);
    error.to_string().replace(&path.display().to_string(), "FILE")
}

#[test]
fn our_archives_are_valid_and_reproducible() {
    let (one, two) = (Files::new(), Files::new());
    let tags = ["caesiumcloud/caesium:dev", "caesiumcloud/caesium:next"];
    let found = check(&one.image(&tags)).unwrap();
    assert_eq!(found.references.iter().map(ToString::to_string).collect::<Vec<_>>(), tags);
    assert_eq!(std::fs::read(one.path()).unwrap(), std::fs::read(two.image(&tags)).unwrap());
}

#[test]
fn every_blob_is_named_by_its_digest() {
    let files = Files::new();
    let mut archive = tar::Archive::new(File::open(files.image(&["a:1"])).unwrap());
    let mut blobs = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(sha256(&bytes), hex);
            blobs += 1;
        }
    }
    assert_eq!(blobs, 3);
}

#[test]
fn a_file_that_is_not_an_archive_is_reported() {
    let files = Files::new();
    assert!(message(Path::new("/no/such.tar")).starts_with("FILE: can't be read: No such file"));
    assert!(message(files.dir.path()).contains("is not a file"));
    assert!(message(&files.bytes(b"")).contains("is empty; make one with `docker save"));
    assert!(message(&files.bytes(&b"hello ".repeat(200))).contains("is not a tar archive"));
    assert!(message(&files.bytes(&[0x1f, 0x8b, 8, 0])).contains("gunzip"));
}

#[test]
fn an_archive_without_images_is_reported() {
    let files = Files::new();
    assert!(message(&files.tar(&[("a", "1"), ("b", "2")])).contains("archive of 2 files, but not an image archive"));
    assert!(message(&files.tar(&[("oci-layout", "{}")])).contains("OCI layout without the manifest.json"));
    assert!(message(&files.tar(&[("manifest.json", "{")])).contains("its manifest.json is not valid JSON"));
    assert!(message(&files.tar(&[("manifest.json", "[]")])).contains("lists no image"));
}

#[test]
fn an_image_that_is_truncated_or_for_another_platform_is_reported() {
    let files = Files::new();
    let manifest = r#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l.tar"]}]"#;
    let foreign = r#"{"architecture":"s390x","os":"linux"}"#;
    let cut = files.tar(&[("manifest.json", manifest), ("c.json", foreign)]);
    assert!(message(&cut).contains("l.tar is listed in its manifest.json but missing"));
    let other = files.tar(&[("manifest.json", manifest), ("c.json", foreign), ("l.tar", "")]);
    assert!(message(&other).contains("is for linux/s390x, but the node is linux/"));
    let truncated = std::fs::read(files.image(&["a:1"])).unwrap();
    assert!(message(&files.bytes(&truncated[..truncated.len() / 3])).starts_with("FILE: "));
    assert!(message(&files.image(&[])).contains("have no tag"));
}

#[test]
fn a_node_identifies_an_image_by_its_configuration_or_its_manifest() {
    let files = Files::new();
    let path = files.image(&["a/b:1", "c.example/d:2"]);
    let ids = ids(&path).unwrap();
    assert_eq!(ids.keys().collect::<Vec<_>>(), ["c.example/d:2", "docker.io/a/b:1"]);
    let listed: serde_json::Value = json(&path, "manifest.json").unwrap();
    let config = listed[0]["Config"].as_str().unwrap().rsplit('/').next().unwrap();
    let index: serde_json::Value = json(&path, "index.json").unwrap();
    let manifest = index["manifests"][0]["digest"].as_str().unwrap();
    let wanted = BTreeSet::from([format!("sha256:{config}"), manifest.to_owned()]);
    assert_eq!(ids["docker.io/a/b:1"], wanted);
    // An archive from a Docker version that wrote no index.
    let config = format!(r#"{{"os":"linux","architecture":"{}"}}"#, oci::architecture());
    let listed = r#"[{"Config":"c.json","RepoTags":["busybox:1"],"Layers":[]}]"#;
    let old = super::ids(&files.tar(&[("manifest.json", listed), ("c.json", &config)])).unwrap();
    assert_eq!(old["docker.io/library/busybox:1"], BTreeSet::from([format!("sha256:{}", sha256(config.as_bytes()))]));
}
