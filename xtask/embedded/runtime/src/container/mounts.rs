//! A container's view of files, set up by its helper inside a mount namespace of its own.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, chown, symlink};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FileType, Mode, OFlags, fstat, makedev, open, statvfs};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_remount, unmount};

use super::layers::make_root;
use super::plan::ContainerPlan;
use crate::rooted::{IfMissing, Root, by_descriptor};
use crate::spec::Mount;
use crate::trees::copy_tree;

const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Devices of the host that every container sees, with their numbers.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The parts of `/proc` and `/sys` that reveal the host; containerd hides the same ones.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Sets up the container's root file system and moves into it.
pub fn enter_root(plan: &ContainerPlan) -> Result<()> {
    let root_path = make_root(&plan.root)?;
    let root = Root::open(&root_path).context("open the root file system")?;
    for host in &plan.root.host {
        bind(&root, host)?;
    }
    kernel_mounts(&root)?;
    devices(&root)?;
    for (number, volume) in plan.image_volumes.iter().enumerate() {
        image_volume(&root, volume, &plan.root.own.join("volumes").join(number.to_string()))
            .with_context(|| format!("create the image's volume {}", volume.display()))?;
    }
    for one in &plan.mounts {
        bind(&root, one)?;
    }
    let working_dir = &plan.process.working_dir;
    // A file in its place, or a failure, is reported when the program is about to start there.
    let _ = root.resolve(working_dir, IfMissing::MakeDirs);
    hide(&root)?;
    pivot(&root_path)?;
    let root = Root::open(Path::new("/")).and_then(|root| root.resolve(Path::new("."), IfMissing::Fail));
    root.and_then(|root| restrict(&root, plan.root.read_only)).context("restrict the root file system")
}

/// Mounts a directory or file of the node at its place below the root.
fn bind(root: &Root, one: &Mount) -> Result<()> {
    let (source, target) = (one.source.to_string_lossy(), one.target.to_string_lossy());
    let explain = || format!("error mounting {source:?} to rootfs at {target:?}");
    let opened = open_source(one).with_context(explain)?;
    let is_dir = FileType::from_raw_mode(fstat(&opened).with_context(explain)?.st_mode) == FileType::Directory;
    let missing = if is_dir { IfMissing::MakeDirs } else { IfMissing::MakeFile };
    let place = root.resolve(&one.target, missing).with_context(explain)?;
    outside_of_proc(&place).with_context(explain)?;
    // By descriptor: the paths may lead elsewhere by the time they are used.
    mount_bind_recursive(by_descriptor(&opened), by_descriptor(&place)).with_context(explain)?;
    // The descriptor still refers to what is now covered, so open the place again.
    let mounted = root.resolve(&one.target, IfMissing::Fail).with_context(explain)?;
    restrict(&mounted, one.read_only).with_context(explain)
}

fn open_source(one: &Mount) -> io::Result<OwnedFd> {
    if one.sub_path.as_os_str().is_empty() {
        return Ok(open(&one.source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?);
    }
    Root::open(&one.source)?.beneath(&one.sub_path)
}

/// Checks that a mount covers neither what `/proc` reports about a process, on which the runtime and the kernel rely,
/// nor the hidden parts.
fn outside_of_proc(place: &OwnedFd) -> Result<()> {
    let is_proc = rustix::fs::fstatfs(place).is_ok_and(|found| found.f_type == rustix::fs::PROC_SUPER_MAGIC);
    ensure!(!is_proc, "cannot be mounted because it is inside /proc");
    Ok(())
}

/// Mounts a directory of the container's own over a volume of its image, with the image's content of that volume.
fn image_volume(root: &Root, volume: &Path, own: &Path) -> Result<()> {
    let place = root.resolve(volume, IfMissing::MakeDirs)?;
    outside_of_proc(&place)?;
    let place = by_descriptor(&place);
    fs::create_dir_all(own)?;
    copy_tree(&place, own)?;
    let there = fs::metadata(&place)?;
    let _ = chown(own, Some(there.uid()), Some(there.gid()));
    fs::set_permissions(own, there.permissions())?;
    bind(root, &Mount { source: own.into(), target: volume.into(), ..Mount::default() })
}

/// Forbids devices in a bind mount, and writing if requested; everything that its source forbids stays forbidden.
pub fn restrict(mounted: &OwnedFd, read_only: bool) -> io::Result<()> {
    let path = by_descriptor(mounted);
    let mut flags = MountFlags::BIND | MountFlags::NODEV;
    let now = statvfs(&path)?.f_flag;
    for (has, flag) in [
        (rustix::fs::StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (rustix::fs::StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (rustix::fs::StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (rustix::fs::StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (rustix::fs::StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (rustix::fs::StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(has) {
            flags |= flag;
        }
    }
    if read_only {
        flags |= MountFlags::RDONLY;
    }
    Ok(mount_remount(&path, flags, c"")?)
}

/// Mounts `/proc` for the container's own processes, `/dev` in memory, and `/sys` if the kernel allows it.
fn kernel_mounts(root: &Root) -> Result<()> {
    kernel_mount(root, "/proc", "proc", QUIET, c"")?;
    let no_devices_of_its_own = MountFlags::NOSUID | MountFlags::NODEV;
    kernel_mount(root, "/dev", "tmpfs", no_devices_of_its_own, c"mode=755,size=65536k")?;
    kernel_mount(root, "/dev/shm", "tmpfs", QUIET, c"mode=1777,size=65536k")?;
    let terminals = MountFlags::NOSUID | MountFlags::NOEXEC;
    // In a user namespace with one user there is no group 5 (tty).
    kernel_mount(root, "/dev/pts", "devpts", terminals, c"newinstance,ptmxmode=0666,mode=0620,gid=5")
        .or_else(|_| kernel_mount(root, "/dev/pts", "devpts", terminals, c"newinstance,ptmxmode=0666,mode=0620"))?;
    if let Err(error) = kernel_mount(root, "/dev/mqueue", "mqueue", QUIET, c"") {
        tracing::debug!("this container has no message queues: {error:#}");
    }
    if let Err(error) = kernel_mount(root, "/sys", "sysfs", QUIET | MountFlags::RDONLY, c"") {
        tracing::debug!("/sys is empty in this container: {error:#}");
    }
    Ok(())
}

fn kernel_mount(root: &Root, target: &str, kind: &str, flags: MountFlags, options: &std::ffi::CStr) -> Result<()> {
    let explain = || format!("error mounting {kind:?} to rootfs at {target:?}");
    // A link of the image would put it elsewhere, and leave its own place free for something else.
    ensure!(!root.has_link_at(target), "filesystem {target:?} must be mounted on ordinary directory");
    let place = root.resolve(Path::new(target), IfMissing::MakeDirs).with_context(explain)?;
    mount(kind, by_descriptor(&place), kind, flags, options).with_context(explain)
}

/// Bind-mounts the host's own devices: an ordinary user can't create any.
fn devices(root: &Root) -> Result<()> {
    let dev = root.resolve(Path::new("/dev"), IfMissing::Fail).context("open /dev")?;
    let dev = by_descriptor(&dev);
    for (name, major, minor) in DEVICES {
        let source = Path::new("/dev").join(name);
        if !is_device(&source, major, minor) {
            continue;
        }
        fs::write(dev.join(name), "").with_context(|| format!("make /dev/{name}"))?;
        mount_bind(&source, dev.join(name)).with_context(|| format!("mount /dev/{name}"))?;
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, dev.join(name)).with_context(|| format!("create the link /dev/{name}"))?;
    }
    Ok(())
}

fn is_device(path: &Path, major: u32, minor: u32) -> bool {
    let is_it = |found: fs::Metadata| found.file_type().is_char_device() && found.rdev() == makedev(major, minor);
    fs::metadata(path).is_ok_and(is_it)
}

fn hide(root: &Root) -> Result<()> {
    // A file in place of the device would be read and written instead.
    ensure!(is_device(Path::new("/dev/null"), 1, 3), "the host's /dev/null is not the null device");
    for path in MASKED {
        let Ok(place) = root.resolve(Path::new(path), IfMissing::Fail) else { continue };
        let place = by_descriptor(&place);
        let masked = if place.is_dir() {
            mount("tmpfs", &place, "tmpfs", QUIET | MountFlags::RDONLY, c"size=0k")
        } else {
            mount_bind("/dev/null", &place)
        };
        masked.with_context(|| format!("hide {path}"))?;
    }
    for path in READ_ONLY {
        let Ok(place) = root.resolve(Path::new(path), IfMissing::Fail) else { continue };
        mount_bind_recursive(by_descriptor(&place), by_descriptor(&place)).with_context(|| format!("cover {path}"))?;
        let covered = root.resolve(Path::new(path), IfMissing::Fail).with_context(|| format!("open {path}"))?;
        restrict(&covered, true).with_context(|| format!("make {path} read-only"))?;
    }
    Ok(())
}

/// Makes the directory the process's root and detaches the host's root.
fn pivot(root: &Path) -> Result<()> {
    std::env::set_current_dir(root).context("enter the root file system")?;
    // The old root ends up on top of the new one, and is unmounted from there.
    rustix::process::pivot_root(".", ".").context("pivot to the root file system")?;
    unmount(".", UnmountFlags::DETACH).context("detach the host's root")?;
    if let Err(error) = std::env::set_current_dir("/") {
        bail!("enter the new root: {error}");
    }
    Ok(())
}
