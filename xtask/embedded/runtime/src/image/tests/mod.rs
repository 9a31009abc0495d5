//! Archives of all kinds, loaded and rejected.

mod build;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::{Value, json};
use tar::EntryType;

use self::build::{Layout, Tar, architectures, config, docker_archive, gzip};
use super::{Store, Unpacked};

struct Node {
    dir: tempfile::TempDir,
    store: Store,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(&dir.path().join("images"), false).unwrap();
        Self { dir, store }
    }

    fn load_bytes(&self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let path = self.dir.path().join("archive.tar");
        fs::write(&path, bytes).unwrap();
        self.store.load(&path).map_err(|error| format!("{error:#}"))
    }

    fn load(&self, archive: &Tar) -> Result<Vec<String>, String> {
        self.load_bytes(&archive.bytes())
    }

    /// Loads an image of these layers, and returns the result.
    fn unpack(&self, layers: &[Tar]) -> Result<Unpacked, String> {
        let layers: Vec<Vec<u8>> = layers.iter().map(Tar::bytes).collect();
        self.load(&docker_archive(&layers, &config(architectures().0, &layers), &["app:1"]))?;
        Ok(self.store.find("app:1").unwrap())
    }
}

fn read(image: &Unpacked, path: &str) -> Option<String> {
    fs::read_to_string(image.tree.join(path)).ok()
}

#[test]
fn a_docker_archive_may_have_several_tags() {
    let node = Node::new();
    let layers = [Tar::default().file("etc/name", "app").bytes()];
    let archive = docker_archive(&layers, &config(architectures().0, &layers), &["app:1", "example.com/x/app:2"]);
    let loaded = node.load(&archive).unwrap();
    assert_eq!(loaded, ["docker.io/library/app:1", "example.com/x/app:2"]);
    for name in ["app:1", "docker.io/app:1", "example.com/x/app:2"] {
        let found = node.store.find(name).unwrap();
        assert_eq!(read(&found, "etc/name").as_deref(), Some("app"));
        assert_eq!((&*found.image.user, &*found.image.working_dir), ("10", "/w"));
        assert_eq!((found.image.entrypoint, found.image.cmd), (vec!["/app".to_owned()], Vec::new()));
        assert_eq!(found.image.size_bytes, 3);
    }
    assert_eq!(node.store.all().len(), 2);
    assert!(node.store.find("app:3").is_err());
}

#[test]
fn layers_of_a_docker_archive_may_be_links() {
    let node = Node::new();
    let layer = Tar::default().file("file", "x").bytes();
    let layers = [layer.clone(), layer.clone()];
    let config = config(architectures().0, &layers).to_string();
    let manifest = json!([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}]);
    let archive = Tar::default()
        .file("c.json", config)
        .file("manifest.json", manifest.to_string())
        .symlink("a/layer.tar", "../b/layer.tar")
        .file("b/layer.tar", &layer);
    node.load(&archive).unwrap();
}

/// As `docker save` has written since version 25: both tables, with the layers among the blobs.
#[test]
fn a_docker_archive_may_also_be_an_oci_layout() {
    let node = Node::new();
    let layers = [Tar::default().file("file", "x").bytes()];
    let mut layout = Layout::default();
    let manifest = layout.image(architectures().0, &layers);
    let blob = |bytes: &[u8]| format!("blobs/{}", super::digest(bytes).replace(':', "/"));
    let docker = json!([{
        "Config": blob(config(architectures().0, &layers).to_string().as_bytes()),
        "RepoTags": ["app:1"],
        "Layers": [blob(&gzip(&layers[0]))],
    }]);
    let archive = layout.finish(manifest.clone(), "1").file("manifest.json", docker.to_string());
    assert_eq!(node.load(&archive).unwrap(), ["docker.io/library/app:1"]);
    let by_digest = format!("docker.io/library/app@{}", manifest["digest"].as_str().unwrap());
    assert_eq!(node.store.find("app:1").unwrap().image.repo_digests, [by_digest.as_str()]);
    assert!(node.store.find(&by_digest).is_ok());
}

#[test]
fn a_nested_index_yields_this_machines_platform() {
    let (here, other) = architectures();
    let node = Node::new();
    let mut layout = Layout::default();
    let theirs = layout.image(other, &[Tar::default().file("which", "theirs").bytes()]);
    let ours = layout.image(here, &[Tar::default().file("which", "ours").bytes()]);
    let mut attestation = theirs.clone();
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let mut not_saved = theirs.clone();
    not_saved["digest"] = Value::from(super::digest(b"not saved"));
    let index = layout.index(&[attestation, theirs, not_saved, ours]);
    let archive = layout.finish(index, "example.com/app:1");
    assert_eq!(node.load(&archive).unwrap(), ["example.com/app:1"]);
    let found = node.store.find("example.com/app:1").unwrap();
    assert_eq!(read(&found, "which").as_deref(), Some("ours"));
    assert_eq!(found.image.platform, format!("linux/{here}"));
    assert!(found.image.runs_here());
}

#[test]
fn an_image_for_another_platform_is_kept_for_its_name() {
    let (_, other) = architectures();
    let node = Node::new();
    let mut layout = Layout::default();
    let theirs = layout.image(other, &[Tar::default().file("which", "theirs").bytes()]);
    node.load(&layout.finish(theirs, "example.com/app:1")).unwrap();
    let found = node.store.find("example.com/app:1").unwrap();
    assert_eq!(found.image.platform, format!("linux/{other}"));
    assert!(!found.image.runs_here());
}

#[test]
fn a_whole_archive_may_be_gzip() {
    let node = Node::new();
    let layers = [Tar::default().file("file", "x").bytes()];
    let archive = docker_archive(&layers, &config(architectures().0, &layers), &["app:1"]);
    node.load_bytes(&archive.gzip()).unwrap();
    assert!(node.store.find("app:1").is_ok());
}

#[test]
fn equal_layers_are_unpacked_once() {
    let node = Node::new();
    let layers = [Tar::default().file("file", "x").bytes()];
    for tag in ["app:1", "app:2"] {
        node.load(&docker_archive(&layers, &config(architectures().0, &layers), &[tag])).unwrap();
    }
    assert_eq!(node.store.find("app:1").unwrap().tree, node.store.find("app:2").unwrap().tree);
}

#[test]
fn whiteouts_hide_files_of_lower_layers() {
    let node = Node::new();
    let lower = Tar::default()
        .file("kept", "1")
        .file("gone", "1")
        .dir("tree")
        .file("tree/a", "1")
        .file("opaque/lower", "1")
        .file("opaque/sub/lower", "1")
        .symlink("link", "kept");
    let upper = Tar::default()
        .file(".wh.gone", "")
        .file(".wh.tree", "")
        .file(".wh.never", "")
        .file(".wh.link", "")
        .file("opaque/sub/upper", "2")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/later", "2");
    let image = node.unpack(&[lower, upper]).unwrap();
    for (path, content) in [("kept", "1"), ("opaque/sub/upper", "2"), ("opaque/later", "2")] {
        assert_eq!(read(&image, path).as_deref(), Some(content), "{path}");
    }
    for path in ["gone", "tree", "opaque/lower", "opaque/sub/lower", "link", ".wh.gone", "opaque/.wh..wh..opq"] {
        assert!(!image.tree.join(path).exists(), "{path}");
    }
}

#[test]
fn a_later_layer_replaces_existing_files() {
    let node = Node::new();
    let lower = Tar::default().file("a", "old").file("dir/file", "old").symlink("link", "a").dir("was-dir");
    let upper = Tar::default().file("a", "new").dir("dir").file("link", "new").file("was-dir", "file").link("b", "a");
    let image = node.unpack(&[lower, upper]).unwrap();
    for (path, content) in [("a", "new"), ("dir/file", "old"), ("link", "new"), ("was-dir", "file"), ("b", "new")] {
        assert_eq!(read(&image, path).as_deref(), Some(content), "{path}");
    }
    let found = fs::metadata(image.tree.join("a")).unwrap();
    assert_eq!((found.nlink(), found.permissions().mode() & 0o7777, found.mtime()), (2, 0o640, 1_000_000_000));
}

#[test]
fn nothing_is_written_outside_the_root() {
    for name in ["../evil", "a/../../evil", "../../../../../../../../tmp/chartproof-evil"] {
        let node = Node::new();
        let error = node.unpack(&[Tar::default().file(name, "x")]).unwrap_err();
        assert!(error.contains(&format!("the entry {name} leads out of the image's root")), "{error}");
        assert!(node.store.find("app:1").is_err(), "nothing of an invalid archive is loaded");
    }
    let node = Node::new();
    let error = node.unpack(&[Tar::default().link("passwd", "../../../etc/passwd")]).unwrap_err();
    assert!(error.contains("outside the image's root"), "{error}");
}

#[test]
fn links_are_followed_only_inside_the_root() {
    let node = Node::new();
    let outside = node.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.display().to_string();
    let layer = Tar::default()
        .symlink("absolute", &target)
        .file("absolute/evil", "x")
        .symlink("relative", "../../outside")
        .file("relative/evil", "x")
        .symlink("file", &format!("{target}/evil"))
        .file("file", "x");
    let whiteout = Tar::default().file("absolute/.wh.secret", "");
    fs::write(outside.join("secret"), "x").unwrap();
    let image = node.unpack(&[layer, whiteout]).unwrap();
    assert!(!outside.join("evil").exists());
    assert!(outside.join("secret").exists(), "a whiteout reached the host's file");
    assert!(image.tree.join(target.trim_start_matches('/')).join("evil").exists(), "created where a container sees it");
    assert!(image.tree.join("outside/evil").exists());
}

#[test]
fn devices_are_skipped_and_pipes_are_created() {
    let node = Node::new();
    let layer = Tar::default().entry(EntryType::Char, "null", "", &[]).entry(EntryType::Fifo, "pipe", "", &[]);
    let image = node.unpack(&[layer]).unwrap();
    assert!(!image.tree.join("null").exists() && image.tree.join("pipe").exists());
}

#[test]
fn a_changed_layer_is_rejected() {
    let node = Node::new();
    let layers = [Tar::default().file("file", "good").bytes()];
    let changed = [Tar::default().file("file", "evil").bytes()];
    let error = node.load(&docker_archive(&changed, &config(architectures().0, &layers), &["app:1"])).unwrap_err();
    let expected = format!(
        "load docker.io/library/app:1 of {}: layer 0/layer.tar: unpacked, it has the digest {}, not {}: \
         it was changed or damaged",
        node.dir.path().join("archive.tar").display(),
        super::digest(&changed[0]),
        super::digest(&layers[0])
    );
    assert_eq!(error, expected);
    assert!(node.store.all().is_empty());
    let left: Vec<_> = fs::read_dir(node.dir.path().join("images")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_changed_blob_is_rejected() {
    let (here, _) = architectures();
    let layers = [Tar::default().file("file", "x").bytes()];
    let mut layout = Layout::default();
    let manifest = layout.image(here, &layers);
    let archive = layout.finish(manifest.clone(), "example.com/app:1").bytes();
    for (what, original) in [("config", "\"Entrypoint\":[\"/app\"]"), ("manifest", "\"schemaVersion\":2,\"config\"")] {
        let node = Node::new();
        let at = archive.windows(original.len()).position(|bytes| bytes == original.as_bytes()).unwrap();
        let mut changed = archive.clone();
        changed[at + 3] ^= 1;
        let error = node.load_bytes(&changed).unwrap_err();
        assert!(error.contains("the blob sha256:") && error.contains("it was changed or damaged"), "{what}: {error}");
    }
}

#[test]
fn a_changed_docker_configuration_is_rejected() {
    let node = Node::new();
    let layers = [Tar::default().file("file", "x").bytes()];
    let archive = docker_archive(&layers, &config(architectures().0, &layers), &["app:1"]).bytes();
    let at = archive.windows(3).position(|bytes| bytes == b"A=1").unwrap();
    let mut changed = archive;
    changed[at] = b'B';
    let error = node.load_bytes(&changed).unwrap_err();
    assert!(error.contains("the configuration ") && error.contains("it was changed or damaged"), "{error}");
}

#[test]
fn a_file_that_is_not_an_image_archive_is_rejected() {
    let path = Path::new("archive.tar");
    let cases: [(Vec<u8>, &str); 5] = [
        (Tar::default().file("some", "file").bytes(), "neither manifest.json (Docker) nor index.json (OCI) is in it"),
        (b"not a tar file, and long enough to be looked at".repeat(20), "is not a tar archive, or is damaged"),
        (vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0], "is compressed with zstd; save it uncompressed or with gzip"),
        (Tar::default().file("manifest.json", "[]").bytes(), "manifest.json lists no image"),
        (Tar::default().file("manifest.json", "{").bytes(), "read manifest.json"),
    ];
    for (bytes, expected) in cases {
        let error = Node::new().load_bytes(&bytes).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_truncated_archive_is_rejected() {
    let node = Node::new();
    let layers = [Tar::default().file("file", "x".repeat(100_000)).bytes()];
    let archive = docker_archive(&layers, &config(architectures().0, &layers), &["app:1"]).bytes();
    assert!(node.load_bytes(&archive[..archive.len() / 2]).is_err());
    assert!(node.store.all().is_empty());
}

#[test]
fn a_tag_alone_does_not_name_an_image() {
    let (here, _) = architectures();
    let mut layout = Layout::default();
    let manifest = layout.image(here, &[Tar::default().file("file", "x").bytes()]);
    let error = Node::new().load(&layout.finish(manifest, "latest")).unwrap_err();
    assert!(error.contains("only by the tag \"latest\": give it its full name"), "{error}");
}

#[test]
fn a_layer_compressed_with_zstd_is_named_in_the_error() {
    let (here, _) = architectures();
    let layers = [vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0]];
    let error = Node::new().load(&docker_archive(&layers, &config(here, &layers), &["app:1"])).unwrap_err();
    assert!(error.contains("0/layer.tar is compressed with zstd"), "{error}");
}
