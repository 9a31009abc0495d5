//! The node's own namespaces: entered once, before any thread exists.

use std::fs;
use std::io::PipeReader;
use std::os::fd::AsFd;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigmaskHow;
use nix::unistd::{ForkResult, fork, getegid, geteuid};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use crate::{cgroup, netlink, supervisor};

/// Moves this process into namespaces of its own: mount, process, network, IPC and host name, and first a user
/// namespace if it is not root.
///
/// Call it once, before any thread exists. The process forks: the parent stays outside and waits. On SIGTERM, SIGINT,
/// SIGHUP and SIGQUIT, and when standard input (a pipe that the starter holds) closes, it sends SIGTERM to the node,
/// which then has ten seconds (one second if the pipe closed), and exits with the node's code. Only the child returns
/// from here. When the child ends, everything else in the namespaces ends.
pub fn enter_node_namespaces() -> Result<()> {
    let threads = fs::read_dir("/proc/self/task").context("read /proc/self/task")?.count();
    ensure!(threads == 1, "enter the node's namespaces before any thread starts; {threads} are running");
    let memory = cgroup::Tree::prepare();
    own_process_namespace()?;
    // Signals that arrive from now on are held until the parent looks; the child restores the mask.
    let mask = supervisor::signals();
    let old_mask = mask.thread_swap_mask(SigmaskHow::SIG_BLOCK).context("block signals")?;
    let (alive, parent) = std::io::pipe().context("create a pipe")?;
    match fork_single_threaded().context("fork the node's first process")? {
        ForkResult::Parent { child } => {
            drop(alive);
            supervisor::supervise(child, &mask, memory, parent)
        }
        ForkResult::Child => {
            drop(parent);
            die_with(&alive)?;
            old_mask.thread_set_mask().context("unblock signals")?;
            cgroup::use_tree(memory);
            own_view()
        }
    }
}

#[expect(unsafe_code, reason = "fork is sound here: the count above shows that no other thread exists")]
fn fork_single_threaded() -> nix::Result<ForkResult> {
    unsafe { fork() }
}

/// Makes the next child the first process of a new pid namespace.
fn own_process_namespace() -> Result<()> {
    match unshare(CloneFlags::CLONE_NEWPID) {
        Ok(()) => return Ok(()),
        Err(Errno::EPERM) => {}
        Err(error) => return Err(error).context("create a process namespace"),
    }
    enter_user_namespace()?;
    unshare(CloneFlags::CLONE_NEWPID).context("create a process namespace inside a user namespace")
}

/// Makes an ordinary user root of a user namespace in which nobody else exists.
fn enter_user_namespace() -> Result<()> {
    let (user, group) = (geteuid(), getegid());
    if let Err(error) = unshare(CloneFlags::CLONE_NEWUSER) {
        bail!("create a user namespace as user {user}: {error}{}", user_namespace_advice());
    }
    fs::write("/proc/self/setgroups", "deny").context("write /proc/self/setgroups")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))
        .with_context(|| format!("map user {user} to root in a user namespace{}", user_namespace_advice()))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
        .with_context(|| format!("map group {group} to root in a user namespace"))
}

/// Returns which setting of the machine forbids user namespaces, and how to change it.
fn user_namespace_advice() -> String {
    let refusing = [
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ];
    let found: Vec<String> = refusing
        .iter()
        .filter(|(name, refuses, _)| {
            let path = format!("/proc/sys/{}", name.replace('.', "/"));
            fs::read_to_string(path).is_ok_and(|value| value.trim() == *refuses)
        })
        .map(|(name, refuses, allows)| format!("{name} is {refuses}; run `sysctl -w {name}={allows}` as root"))
        .collect();
    let instead =
        if geteuid().is_root() { "give this root CAP_SYS_ADMIN (docker run --privileged)" } else { "run as root" };
    if found.is_empty() {
        return format!("; {instead}, or allow user namespaces, which a container's seccomp profile may forbid");
    }
    format!("; {}, or {instead}", found.join("; "))
}

/// Has the kernel kill this process when the parent's main thread ends; `alive` detects an end before that.
fn die_with(alive: &PipeReader) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("request a signal when the parent dies")?;
    let mut polled = [PollFd::new(alive.as_fd(), PollFlags::empty())];
    poll(&mut polled, PollTimeout::ZERO).context("check that the parent is alive")?;
    let gone = polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
    ensure!(!gone, "the node's parent process ended before the node started");
    Ok(())
}

/// Gives this process mount, network, IPC and host name namespaces of its own, with the `/proc` and `lo` that belong to
/// them.
fn own_view() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)
        .context("create mount, network, IPC and host name namespaces")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("make all mounts private")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).context(
        "mount /proc for the node (a container that masks parts of /proc forbids this; run it with --privileged)",
    )?;
    netlink::block_on(netlink::loopback_up())?.context("bring lo up in the node's network")
}
