//! A container's view of files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use runtime::Mount;

use super::{Case, case};
use crate::pod::Node;

const DEVICES: &str = "/dev/fd /dev/full /dev/mqueue /dev/null /dev/ptmx /dev/pts /dev/random /dev/shm /dev/stderr \
                       /dev/stdin /dev/stdout /dev/tty /dev/urandom /dev/zero\n";

pub fn cases() -> Vec<Case> {
    vec![
        case("a_read_only_root_rejects_writes", a_read_only_root_rejects_writes),
        case("volumes_are_mounted", volumes_are_mounted),
        case("a_missing_volume_is_an_error", a_missing_volume_is_an_error),
        case("volumes_stay_inside_the_root", volumes_stay_inside_the_root),
        case("the_host_is_hidden", the_host_is_hidden),
        case("the_working_directory_is_created", the_working_directory_is_created),
        case("the_pods_files_exist", the_pods_files_exist),
        case("a_root_over_an_overlay_is_in_memory", a_root_over_an_overlay_is_in_memory),
        case("a_root_over_two_overlays_is_a_copy", a_root_over_two_overlays_is_a_copy),
        case("an_invalid_program_is_reported_in_the_log", an_invalid_program_is_reported_in_the_log),
    ]
}

async fn a_read_only_root_rejects_writes(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let volume = node.volume("tmp")?;
    let mut spec = pod.spec("echo x > /x; echo $?; echo y > /tmp/y && echo kept; echo z > /etc/hosts; echo $?");
    spec.security.read_only_root = true;
    spec.mounts = vec![Mount { source: volume.clone(), target: "/tmp".into(), ..Mount::default() }];
    let (_, output) = pod.run(spec).await?;
    ensure!(output.matches("Read-only file system").count() == 2 && output.contains("kept\n"), "{output}");
    ensure!(fs::read_to_string(volume.join("y"))? == "y\n");
    ensure!(pod.script("echo x > /x && cat /x").await? == "x\n", "a root is writable unless that is forbidden");
    ensure!(pod.script("ls /x || true").await?.contains("No such file"), "each container has its own");
    pod.stop().await;
    Ok(())
}

async fn volumes_are_mounted(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let (outer, inner) = (node.volume("outer")?, node.volume("inner")?);
    fs::write(inner.join("key"), "value\n")?;
    let mut spec = pod.spec(
        "cat /data/deep/inner/key /etc/one; touch /data/deep/inner/no 2>/tmp/no; echo $?; touch /data/yes; cat /tmp/no",
    );
    let mount =
        |source, target: &str, read_only| Mount { source, target: target.into(), read_only, ..Mount::default() };
    spec.mounts = vec![
        // In the wrong order, which would cover the deeper one.
        mount(inner.clone(), "/data/deep/inner", true),
        mount(inner.join("key"), "/etc/one", true),
        mount(outer.clone(), "/data", false),
    ];
    let (_, output) = pod.run(spec).await?;
    ensure!(output.contains("value\nvalue\n1\n") && output.contains("Read-only file system"), "{output}");
    ensure!(outer.join("yes").exists() && !inner.join("no").exists());
    pod.stop().await;
    Ok(())
}

async fn a_missing_volume_is_an_error(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("true");
    spec.mounts = vec![Mount { source: "/no/such".into(), target: "/data".into(), ..Mount::default() }];
    let Err(error) = pod.start(spec).await else { anyhow::bail!("it started") };
    ensure!(
        error
            .to_string()
            .ends_with("error mounting \"/no/such\" to rootfs at \"/data\": No such file or directory (os error 2)"),
        "{error}"
    );
    pod.stop().await;
    Ok(())
}

/// A link that a container planted in a volume must not lead a later mount out of the root.
async fn volumes_stay_inside_the_root(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let (volume, secret) = (node.volume("volume")?, node.volume("secret")?);
    fs::write(secret.join("file"), "secret")?;
    symlink(&node.dir, volume.join("out"))?;
    let mut spec = pod.spec("ls /data/out/planted/; echo done");
    spec.mounts = vec![
        Mount { source: volume.clone(), target: "/data".into(), ..Mount::default() },
        Mount { source: secret, target: "/data/out/planted".into(), ..Mount::default() },
    ];
    let (_, output) = pod.run(spec).await?;
    ensure!(output == "file\ndone\n", "{output}");
    ensure!(!node.dir.join("planted").exists(), "a directory was created outside the root");
    pod.stop().await;
    Ok(())
}

async fn the_host_is_hidden(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let dir = node.dir.display();
    let expected = [
        (format!("ls -d {dir} /boot /mnt /srv 2>/dev/null | wc -l"), "0\n"),
        ("cat /proc/1/comm; ls -d /proc/[1-9][0-9]* 2>/dev/null | wc -l".into(), "sh\n0\n"),
        ("echo /dev/*".into(), DEVICES),
        ("ls /sys/class/net".into(), "eth0\nlo\n"),
        ("(echo 1 > /proc/sys/kernel/printk) 2>&1 | grep -c Read-only".into(), "1\n"),
        ("touch /usr/x 2>&1 | grep -c Read-only".into(), "1\n"),
        ("cat /proc/kcore 2>/dev/null | wc -c".into(), "0\n"),
        ("echo test > /dev/null && head -c 3 /dev/zero | wc -c".into(), "3\n"),
    ];
    for (script, expected) in expected {
        let output = pod.script(&script).await?;
        ensure!(output == expected, "{script}: {output}");
    }
    pod.stop().await;
    Ok(())
}

async fn the_working_directory_is_created(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("pwd");
    spec.working_dir = Some("/not/yet/there".into());
    let (_, output) = pod.run(spec).await?;
    ensure!(output == "/not/yet/there\n", "{output}");
    pod.stop().await;
    Ok(())
}

async fn the_pods_files_exist(node: Node) -> Result<()> {
    let pod = node.pod("named").await?;
    let output = pod.script("cat /etc/resolv.conf /etc/hosts /etc/hostname").await?;
    let expected = format!("nameserver 10.96.0.10\n127.0.0.1 localhost\n{} pod\nnamed\n", pod.sandbox.ip());
    ensure!(output == expected, "{output}");
    pod.stop().await;
    Ok(())
}

async fn a_root_over_an_overlay_is_in_memory(node: Node) -> Result<()> {
    let dir = overlay(&node.dir.join("first"), &node.dir)?;
    let output = on_second_node(dir, "echo x > /x; cat /x; grep -c '^overlay / .*/memory/upper' /proc/mounts")?;
    ensure!(output == "x\n1\n", "{output}");
    Ok(())
}

/// The kernel stacks at most two.
async fn a_root_over_two_overlays_is_a_copy(node: Node) -> Result<()> {
    let first = overlay(&node.dir.join("first"), &node.dir)?;
    let dir = overlay(&node.dir.join("second"), &first)?;
    let script =
        "echo x > /x; cat /x; grep -c '^overlay / .*upperdir=/' /proc/mounts; cat /etc/hostname; stat -c %a /tmp";
    let output = on_second_node(dir.clone(), &format!("{script}; grep ' / ' /proc/mounts"))?;
    ensure!(output.starts_with("x\n1\nhere\n1777\n") && output.contains("/second/upper"), "{output}");
    Ok(())
}

/// Mounts an overlay over a directory, with layers of its own below `at`; returns its path.
fn overlay(at: &Path, lower: &Path) -> Result<PathBuf> {
    for name in ["upper", "work", "merged"] {
        fs::create_dir_all(at.join(name))?;
    }
    let (lower, at) = (lower.display(), at.display());
    let options = format!("lowerdir={lower},upperdir={at}/upper,workdir={at}/work,userxattr");
    let merged = PathBuf::from(format!("{at}/merged"));
    let options = std::ffi::CString::new(options)?;
    rustix::mount::mount("overlay", &merged, "overlay", rustix::mount::MountFlags::empty(), options.as_c_str())
        .with_context(|| format!("mount {options:?}"))?;
    Ok(merged)
}

/// Runs a script on a second node inside this one, with a network of its own and its files elsewhere.
fn on_second_node(dir: PathBuf, script: &str) -> Result<String> {
    let script = script.to_owned();
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio.block_on(async {
            let node = Node::start(&dir).await?;
            let pod = node.pod("here").await?;
            let output = pod.script(&script).await;
            pod.stop().await;
            output
        })
    });
    thread.join().map_err(|_| anyhow::anyhow!("the second node panicked"))?
}

async fn an_invalid_program_is_reported_in_the_log(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let volume = node.volume("volume")?;
    fs::write(volume.join("text"), "no program at all")?;
    fs::set_permissions(volume.join("text"), fs::Permissions::from_mode(0o755))?;
    let mut spec = pod.spec("");
    spec.command = vec!["/volume/text".into()];
    spec.mounts = vec![Mount { source: volume, target: "/volume".into(), ..Mount::default() }];
    let (exit, output) = pod.run(spec).await?;
    ensure!(exit.code == 255 && output == "exec /volume/text: exec format error\n", "{exit:?} {output}");
    pod.stop().await;
    Ok(())
}
