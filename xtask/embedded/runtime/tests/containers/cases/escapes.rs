//! Escapes from containers that worked in other runtimes, and that fail here.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use runtime::{ExecSpec, Mount, RuntimeError};
use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags, makedev, mknodat, open, renameat_with};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{Case, case, root_case};
use crate::pod::{Node, Pod};

/// How often a container is started while its volume changes.
const RACES: usize = 20;

pub fn cases() -> Vec<Case> {
    vec![
        root_case("no_device_that_a_container_creates_can_be_opened", no_device_that_a_container_creates_can_be_opened),
        root_case("no_device_in_a_mount_can_be_opened", no_device_in_a_mount_can_be_opened),
        case("a_container_can_not_create_devices", a_container_can_not_create_devices),
        case("dangerous_calls_are_denied", dangerous_calls_are_denied),
        case("a_container_may_be_unconfined", a_container_may_be_unconfined),
        case("a_capability_allows_its_calls_again", a_capability_allows_its_calls_again),
        case("no_descriptor_of_the_node_leaks", no_descriptor_of_the_node_leaks),
        case("no_working_directory_is_outside_the_root", no_working_directory_is_outside_the_root),
        root_case("the_nodes_program_is_read_only", the_nodes_program_is_read_only),
        case("nothing_is_mounted_inside_proc", nothing_is_mounted_inside_proc),
        case("no_link_can_replace_proc", no_link_can_replace_proc),
        case("a_sub_path_stays_in_its_volume", a_sub_path_stays_in_its_volume),
        case("a_changing_sub_path_stays_in_its_volume", a_changing_sub_path_stays_in_its_volume),
        case("no_other_user_of_the_host_can_reach_its_files", no_other_user_of_the_host_can_reach_its_files),
    ]
}

/// Returns the error of starting a container.
async fn refused(pod: &Pod, spec: runtime::ContainerSpec) -> Result<String> {
    match pod.start(spec).await {
        Err(RuntimeError::Start(message)) => Ok(message),
        other => anyhow::bail!("it was not rejected: {:?}", other.map(|container| container.id().to_owned())),
    }
}

/// Uses the number of the null device: opening it does no harm if the test fails.
async fn no_device_that_a_container_creates_can_be_opened(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let script = "for at in / /dev /dev/shm /volume /tmp; do mknod $at/own c 1 3 && cat $at/own 2>&1; done";
    let mut spec = pod.spec(script);
    spec.security.add_capabilities = vec!["MKNOD".into()];
    spec.mounts = vec![Mount { source: node.volume("volume")?, target: "/volume".into(), ..Mount::default() }];
    let (_, output) = pod.run(spec).await?;
    ensure!(output.matches("Permission denied").count() == 5, "{output}");
    pod.stop().await;
    Ok(())
}

async fn no_device_in_a_mount_can_be_opened(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let volume = node.volume("volume")?;
    mknodat(CWD, volume.join("own"), FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(1, 3))?;
    let mut spec = pod.spec("cat /own 2>&1");
    spec.mounts = vec![Mount { source: volume, sub_path: "own".into(), target: "/own".into(), ..Mount::default() }];
    let (_, output) = pod.run(spec).await?;
    ensure!(output.contains("Permission denied"), "{output}");
    pod.stop().await;
    Ok(())
}

async fn a_container_can_not_create_devices(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let output = pod.script("mknod /tmp/own c 1 3 2>&1; mknod /tmp/pipe p && echo a pipe").await?;
    ensure!(output.contains("Operation not permitted") && output.ends_with("a pipe\n"), "{output}");
    pod.stop().await;
    Ok(())
}

const CALLS: &str = "unshare --user true 2>&1; echo $?; grep Seccomp: /proc/self/status";

async fn dangerous_calls_are_denied(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let output = pod.script(CALLS).await?;
    ensure!(output == "unshare: unshare failed: Operation not permitted\n1\nSeccomp:\t2\n", "{output}");
    let mut spec = pod.spec(CALLS);
    spec.security.run_as_user = Some(10001);
    let (_, output) = pod.run(spec).await?;
    ensure!(output.ends_with("\n1\nSeccomp:\t2\n"), "another user: {output}");
    let running = pod.start(pod.spec("exec sleep 1000")).await?;
    let argv = ["sh", "-c", CALLS].map(String::from).to_vec();
    let mut exec = running.exec(ExecSpec { argv, ..ExecSpec::default() }).await?;
    let mut output = String::new();
    exec.stdout.as_mut().context("no output")?.read_to_string(&mut output).await?;
    ensure!(output.ends_with("\n1\nSeccomp:\t2\n"), "an additional program: {output}");
    pod.stop().await;
    Ok(())
}

async fn a_container_may_be_unconfined(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec(CALLS);
    spec.security.seccomp_unconfined = true;
    let (_, output) = pod.run(spec).await?;
    ensure!(output == "0\nSeccomp:\t0\n", "{output}");
    pod.stop().await;
    Ok(())
}

async fn a_capability_allows_its_calls_again(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("unshare --mount true; echo $?");
    spec.security.add_capabilities = vec!["SYS_ADMIN".into()];
    let (_, output) = pod.run(spec).await?;
    ensure!(output == "0\n", "{output}");
    pod.stop().await;
    Ok(())
}

/// Opens a directory of the host so that it stays open in every program that this process becomes.
fn leak(dir: &Path) -> Result<rustix::fd::OwnedFd> {
    Ok(open(dir, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)
}

/// CVE-2024-21626, through a descriptor.
async fn no_descriptor_of_the_node_leaks(node: Node) -> Result<()> {
    let _leaked = leak(&node.dir)?;
    let pod = node.pod("a").await?;
    // The fourth is that of the listing itself.
    let script = "ls /proc/self/fd | wc -l";
    ensure!(pod.script(script).await? == "4\n", "{}", pod.script("ls -l /proc/self/fd").await?);
    pod.stop().await;
    Ok(())
}

/// CVE-2024-21626, through the working directory.
async fn no_working_directory_is_outside_the_root(node: Node) -> Result<()> {
    let leaked = leak(&node.dir)?;
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("ls");
    spec.working_dir = Some(format!("/proc/self/fd/{}", leaked.as_raw_fd()).into());
    let message = refused(&pod, spec).await?;
    ensure!(message.contains("current working directory is outside of container mount namespace root"), "{message}");
    pod.stop().await;
    Ok(())
}

/// CVE-2019-5736.
async fn the_nodes_program_is_read_only(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("");
    spec.command = vec!["/proc/self/exe".into(), crate::REWRITE.into()];
    let (_, output) = pod.run(spec).await?;
    ensure!(output.starts_with("Read-only file system"), "{output}");
    pod.stop().await;
    Ok(())
}

/// CVE-2019-16884 and, more recently, CVE-2025-52881.
async fn nothing_is_mounted_inside_proc(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    symlink("/proc/self", node.volume("links")?.join("link"))?;
    for target in ["/proc", "/proc/sys", "/proc/self/attr", "/links/link/attr"] {
        let mut spec = pod.spec("true");
        spec.mounts = vec![
            Mount { source: node.volume("links")?, target: "/links".into(), ..Mount::default() },
            Mount { source: node.volume("volume")?, target: target.into(), ..Mount::default() },
        ];
        let message = refused(&pod, spec).await?;
        ensure!(message.contains("cannot be mounted because it is inside /proc"), "{target}: {message}");
    }
    pod.stop().await;
    Ok(())
}

/// CVE-2019-19921 and CVE-2023-27561.
async fn no_link_can_replace_proc(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    for place in ["proc", "dev"] {
        let (path, name) = (node.dir.join(place), format!("link-at-{place}:1"));
        archive_with_link(&path, &name, place)?;
        node.runtime.load_archive(&path).await?;
        let mut spec = pod.spec("true");
        spec.image = name;
        let message = refused(&pod, spec).await?;
        let expected = format!("filesystem \"/{place}\" must be mounted on ordinary directory");
        ensure!(message.contains(&expected), "{message}");
    }
    pod.stop().await;
    Ok(())
}

/// Writes an image whose only file is a link.
fn archive_with_link(path: &Path, name: &str, link: &str) -> Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    header.set_uid(0);
    header.set_gid(0);
    layer.append_link(&mut header, link, "elsewhere")?;
    let layer = layer.into_inner()?;
    let digest = super::images::digest(&layer);
    let config = json!({
        "os": "linux",
        "architecture": if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    super::images::write_archive(path, &layer, &config, &[name])
}

/// CVE-2021-30465 and kubelet's CVE-2021-25741, without a race.
async fn a_sub_path_stays_in_its_volume(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let (volume, outside) = (node.volume("volume")?, node.volume("outside")?);
    fs::create_dir_all(volume.join("a/b"))?;
    fs::write(volume.join("a/b/file"), "inside\n")?;
    symlink("a/b", volume.join("within"))?;
    symlink(&outside, volume.join("absolute"))?;
    symlink("../outside", volume.join("up"))?;
    symlink("/proc/self/root", volume.join("magic"))?;
    let with = |sub_path: &str| {
        let mut spec = pod.spec("cat /data/file");
        let (source, sub_path) = (volume.clone(), sub_path.into());
        spec.mounts = vec![Mount { source, sub_path, target: "/data".into(), ..Mount::default() }];
        spec
    };
    for sub_path in ["a/b", "within"] {
        let (_, output) = pod.run(with(sub_path)).await?;
        ensure!(output == "inside\n", "{sub_path}: {output}");
    }
    for sub_path in ["absolute", "up", "magic", "..", "a/../../outside", "/"] {
        let message = refused(&pod, with(sub_path)).await?;
        ensure!(message.contains("error mounting"), "{sub_path}: {message}");
    }
    pod.stop().await;
    Ok(())
}

/// The same while a container of the pod repeatedly exchanges the directory for a link.
async fn a_changing_sub_path_stays_in_its_volume(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let (volume, outside) = (node.volume("volume")?, node.volume("outside")?);
    fs::create_dir(volume.join("spot"))?;
    fs::write(volume.join("spot/inside"), "")?;
    fs::write(outside.join("outside"), "")?;
    symlink(&outside, volume.join("link"))?;
    let over = Arc::new(AtomicBool::new(false));
    let (until, at) = (over.clone(), volume.clone());
    let exchanging = std::thread::spawn(move || {
        while !until.load(Ordering::Relaxed) {
            let _ = renameat_with(CWD, at.join("spot"), CWD, at.join("link"), RenameFlags::EXCHANGE);
        }
    });
    let mut seen = Vec::new();
    for _ in 0..RACES {
        let mut spec = pod.spec("ls /data");
        let (source, sub_path) = (volume.clone(), "spot".into());
        spec.mounts = vec![Mount { source, sub_path, target: "/data".into(), ..Mount::default() }];
        seen.extend(pod.run(spec).await.map(|(_, output)| output));
    }
    over.store(true, Ordering::Relaxed);
    exchanging.join().map_err(|_| anyhow::anyhow!("the thread that exchanges panicked"))?;
    ensure!(seen.iter().all(|output| output == "inside\n"), "{seen:?}");
    pod.stop().await;
    Ok(())
}

/// containerd's CVE-2021-41103 and CVE-2024-25621.
async fn no_other_user_of_the_host_can_reach_its_files(node: Node) -> Result<()> {
    for name in ["containers", "images", "sandboxes"] {
        let mode = fs::metadata(node.dir.join(name))?.permissions().mode() & 0o777;
        ensure!(mode == 0o700, "{name}: {mode:o}");
    }
    Ok(())
}
