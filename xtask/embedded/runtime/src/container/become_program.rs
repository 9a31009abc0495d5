//! The last steps of a helper: it gives up what the container may not have and becomes the program.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::execve;
use rustix::fs::{Mode, fchown};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use rustix::thread::{CapabilitySet, Gid, Uid};

use super::plan::{Identity, ProcessPlan};
use super::seccomp;
use crate::spec::DEFAULT_PATH;

/// The limit that containers usually get from containerd. Beyond it, programs that close all descriptors at start take
/// long.
const OPEN_FILES_MAX: u64 = 1 << 20;

/// Exit code of a program that the kernel can't execute, as runc has it.
const EXIT_NOT_EXECUTABLE: i32 = 255;

/// Becomes the program, either as root of the node or in a user namespace that was already entered.
pub fn become_program(plan: &ProcessPlan, in_user_namespace: bool) -> Result<Infallible> {
    umask(Mode::from_raw_mode(0o022));
    limits();
    if plan.tty {
        rustix::process::ioctl_tiocsctty(io::stdin()).context("take the terminal")?;
    }
    own_standard_streams(&plan.identity);
    if plan.nested_user() && !in_user_namespace {
        nested_user_namespace(&plan.identity)?;
    }
    if plan.forbid_calls {
        seccomp::forbid_calls(plan.capabilities)?;
    }
    drop_capabilities(plan.capabilities)?;
    if !plan.single_user_node {
        become_user(&plan.identity)?;
    }
    if plan.no_new_privileges {
        rustix::thread::set_no_new_privs(true).context("forbid new privileges")?;
    }
    std::env::set_current_dir(&plan.working_dir).map_err(|error| {
        anyhow!("chdir to cwd ({:?}) set in config.json failed: {}", plan.working_dir.to_string_lossy(), words(&error))
    })?;
    stay_inside()?;
    let program = find_program(plan)?;
    execute(plan, &program)
}

/// Rejects a working directory outside the container's root, to which a descriptor of the host could lead.
fn stay_inside() -> Result<()> {
    let inside = rustix::process::getcwd(Vec::new()).is_ok_and(|here| here.as_bytes().starts_with(b"/"));
    ensure!(
        inside,
        "current working directory is outside of container mount namespace root -- possible container breakout detected"
    );
    Ok(())
}

/// Disables core files: the host decides where they go, which may be outside the run's directory.
fn limits() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let files = getrlimit(Resource::Nofile).maximum.map_or(OPEN_FILES_MAX, |maximum| maximum.min(OPEN_FILES_MAX));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) });
}

/// Lets the program reopen `/dev/stdout` and the like. `/dev/null` is shared by everyone and stays as it is.
fn own_standard_streams(identity: &Identity) {
    let streams = [
        io::stdin().as_fd().try_clone_to_owned(),
        io::stdout().as_fd().try_clone_to_owned(),
        io::stderr().as_fd().try_clone_to_owned(),
    ];
    for stream in streams.into_iter().flatten() {
        let is_null = rustix::fs::fstat(&stream).is_ok_and(|stat| stat.st_rdev == rustix::fs::makedev(1, 3));
        if !is_null {
            let _ = fchown(&stream, Some(Uid::from_raw(identity.user)), Some(Gid::from_raw(identity.group)));
        }
    }
}

/// Creates a user namespace in which the node's only user has the requested number.
fn nested_user_namespace(identity: &Identity) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER).context("create a user namespace for the container")?;
    fs::write("/proc/self/uid_map", format!("{} 0 1", identity.user))
        .with_context(|| format!("map the user {}", identity.user))?;
    fs::write("/proc/self/setgroups", "deny").context("write /proc/self/setgroups")?;
    fs::write("/proc/self/gid_map", format!("{} 0 1", identity.group))
        .with_context(|| format!("map the group {}", identity.group))
}

/// Drops capabilities from the bounding set, out of reach of every program. Root keeps the rest, other users have none.
fn drop_capabilities(kept: u64) -> Result<()> {
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if kept & (1 << bit) != 0 {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            // The kernel's last capability has been passed.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).with_context(|| format!("drop the capability {bit}")),
        }
    }
    Ok(())
}

fn become_user(identity: &Identity) -> Result<()> {
    // Its own group is one of them: a mode that excludes a group must also exclude a program that changes to
    // another group.
    let groups = std::iter::once(identity.group).chain(identity.groups.iter().copied());
    let groups: Vec<Gid> = groups.map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups).context("set the supplementary groups")?;
    let (user, group) = (Uid::from_raw(identity.user), Gid::from_raw(identity.group));
    rustix::thread::set_thread_res_gid(group, group, group).with_context(|| format!("become group {group:?}"))?;
    rustix::thread::set_thread_res_uid(user, user, user).with_context(|| format!("become user {user:?}"))
}

/// Looks the program up as runc does, on the container's own PATH, and reports a missing one with runc's message.
fn find_program(plan: &ProcessPlan) -> Result<PathBuf> {
    let Some(name) = plan.argv.first() else { bail!("no command specified") };
    if name.contains('/') {
        let path = PathBuf::from(name);
        return match fs::metadata(&path) {
            Err(error) => Err(anyhow!("exec: {name:?}: stat {name}: {}", words(&error))),
            Ok(found) if found.is_dir() => Err(anyhow!("exec: {name:?}: is a directory")),
            Ok(found) if found.permissions().mode() & 0o111 == 0 => Err(anyhow!("exec: {name:?}: permission denied")),
            Ok(_) => Ok(path),
        };
    }
    let path = plan.env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let found = path.split(':').map(|dir| Path::new(dir).join(name)).find(|candidate| {
        fs::metadata(candidate).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    });
    found.ok_or_else(|| anyhow!("exec: {name:?}: executable file not found in $PATH"))
}

fn execute(plan: &ProcessPlan, program: &Path) -> Result<Infallible> {
    let text = |text: &str| CString::new(text).with_context(|| format!("a zero byte in {text:?}"));
    let argv = plan.argv.iter().map(|argument| text(argument)).collect::<Result<Vec<_>>>()?;
    let env = plan.env.iter().map(|entry| text(entry)).collect::<Result<Vec<_>>>()?;
    let path = text(&program.to_string_lossy())?;
    let error = match execve(&path, &argv, &env) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    if error == nix::errno::Errno::ENOEXEC {
        // runc has already reported that the container runs: this is the program's own failure, in its log.
        let _ = writeln!(io::stderr(), "exec {}: exec format error", program.display());
        std::process::exit(EXIT_NOT_EXECUTABLE);
    }
    Err(anyhow!("exec: {:?}: {}", plan.argv[0], words(&error.into())))
}

/// Words an error as Go does: lower case, without the number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
