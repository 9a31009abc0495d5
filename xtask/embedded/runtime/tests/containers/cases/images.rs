//! Containers from images: from an archive, and served by the host.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use runtime::RuntimeError;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Case, case};
use crate::pod::Node;

pub fn cases() -> Vec<Case> {
    vec![
        case("an_archives_image_runs", an_archives_image_runs),
        case("the_host_serves_curl", the_host_serves_curl),
        case("an_unknown_image_is_not_found", an_unknown_image_is_not_found),
    ]
}

/// `cap_net_bind_service=p`, as file systems store it.
const CAPABILITY: &[u8] = &[0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Returns the only layer of an image: this program and its libraries.
fn layer() -> Result<Vec<u8>> {
    let mut layer = tar::Builder::new(Vec::new());
    let add = |layer: &mut tar::Builder<Vec<u8>>, name: &str, mode, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(if name.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(1000);
        header.set_gid(1000);
        layer.append_data(&mut header, name, content)
    };
    add(&mut layer, "bin/server", 0o755, &fs::read(std::env::current_exe()?)?)?;
    layer.append_pax_extensions([("SCHILY.xattr.security.capability", CAPABILITY)])?;
    add(&mut layer, "bin/capable", 0o755, b"a program with an extra capability")?;
    add(&mut layer, "data/", 0o755, b"")?;
    add(&mut layer, "data/seed", 0o644, b"from the image")?;
    add(&mut layer, "etc/passwd", 0o644, b"app:x:1000:1000::/home:/bin/none\n")?;
    for library in libraries()? {
        let name = library.file_name().context("a library without a name")?.to_string_lossy().into_owned();
        add(&mut layer, &format!("lib64/{name}"), 0o755, &fs::read(&library)?)?;
    }
    Ok(layer.into_inner()?)
}

fn libraries() -> Result<Vec<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut files: Vec<PathBuf> = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.contains(".so"))
        .map(PathBuf::from)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn archive(path: &Path) -> Result<()> {
    let layer = layer()?;
    let config = json!({
        "os": "linux",
        "architecture": if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" },
        "config": {
            "User": "app",
            "WorkingDir": "/home",
            "Env": ["PATH=/bin", "LD_LIBRARY_PATH=/lib64", "FROM=image"],
            "Entrypoint": ["server"],
            "Cmd": [crate::SHOW],
            "Volumes": {"/data": {}},
            "StopSignal": "SIGQUIT",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))]},
    });
    write_archive(path, &layer, &config, &["example.com/team/app:1", "app:2"])
}

/// Writes an image of one layer as `docker save` does.
pub fn write_archive(path: &Path, layer: &[u8], config: &serde_json::Value, tags: &[&str]) -> Result<()> {
    let config = config.to_string().into_bytes();
    let name = format!("{}.json", digest(&config));
    let manifest = json!([{"Config": name, "RepoTags": tags, "Layers": ["l/layer.tar"]}]).to_string();
    let mut archive = tar::Builder::new(fs::File::create(path)?);
    for (name, content) in [("l/layer.tar", layer), (&*name, &config), ("manifest.json", manifest.as_bytes())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content)?;
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

async fn an_archives_image_runs(node: Node) -> Result<()> {
    let path = node.dir.join("app.tar");
    archive(&path)?;
    let loaded = node.runtime.load_archive(&path).await?;
    ensure!(loaded == ["docker.io/library/app:2", "example.com/team/app:1"], "{loaded:?}");
    let image = node.runtime.image("app:2")?;
    ensure!(image.user == "app" && !image.from_host && image.size_bytes > 0, "{image:?}");
    ensure!(image.stop_signal_number() == 3 && image.volumes == ["/data"], "{image:?}");
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("");
    spec.image = "app:2".into();
    spec.command = Vec::new();
    spec.security.read_only_root = true;
    let (exit, output) = pod.run(spec.clone()).await?;
    let root = !node.runtime.limits().iter().any(|limit| limit.contains("without root"));
    let expected = format!(
        "user 1000 group 1000 in /home, HOME=/home, FROM=image\n/bin/capable {}\nfrom the image, written true false\n",
        if root { "04" } else { "none" }
    );
    ensure!(exit.code == 0 && output == expected, "{exit:?} {output}");
    spec.args = vec!["--unknown".into()];
    let (exit, _) = pod.run(spec).await?;
    ensure!(exit.code != 0, "arguments replace the image's");
    pod.stop().await;
    Ok(())
}

async fn the_host_serves_curl(node: Node) -> Result<()> {
    let image = match node.runtime.image("curlimages/curl:8.12.1") {
        Ok(image) => image,
        Err(error) => {
            ensure!(!Path::new("/usr/bin/curl").exists() && error.to_string().contains("curl is missing"), "{error}");
            return Ok(());
        }
    };
    ensure!(image.from_host && image.user == "curl_user", "{image:?}");
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("");
    spec.image = image.reference.clone();
    spec.command = Vec::new();
    spec.args = vec!["--version".into()];
    let (exit, output) = pod.run(spec).await?;
    ensure!(exit.code == 0 && output.starts_with("curl "), "{exit:?} {output}");
    ensure!(node.runtime.images().iter().any(|one| one.reference == "docker.io/curlimages/curl:8.12.1"));
    pod.stop().await;
    Ok(())
}

async fn an_unknown_image_is_not_found(node: Node) -> Result<()> {
    let Err(error) = node.runtime.image("nosuch:1") else { anyhow::bail!("it was found") };
    ensure!(error.to_string() == "image docker.io/library/nosuch:1: it is in no loaded archive", "{error}");
    ensure!(matches!(node.runtime.image("No Such"), Err(RuntimeError::InvalidReference { .. })));
    let digest = format!("busybox@sha256:{}", "0".repeat(64));
    ensure!(matches!(node.runtime.image(&digest), Err(RuntimeError::ImageNotFound { .. })), "not from the host");
    Ok(())
}
