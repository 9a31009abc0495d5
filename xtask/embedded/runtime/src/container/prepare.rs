//! From a pod's spec and an image to the plan for a container's helper.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::identity;
use super::plan::{ContainerPlan, Identity, ProcessPlan, RootPlan};
use super::seccomp;
use crate::image::Unpacked;
use crate::rooted::Root;
use crate::sandbox::Sandbox;
use crate::spec::{ContainerSpec, DEFAULT_PATH, Image, Mount};

/// Returns the plan for what the helper sets up.
pub fn container_plan(
    sandbox: &Sandbox,
    image: &Unpacked,
    spec: &ContainerSpec,
    own: &Path,
    process: ProcessPlan,
) -> ContainerPlan {
    let files = sandbox.files().into_iter().filter(|(_, target)| {
        // A pod may mount its own, as kubelet does with /etc/hosts.
        !spec.mounts.iter().any(|mount| mount.target == Path::new(target))
    });
    let mut mounts: Vec<Mount> = files
        .map(|(source, target)| {
            let read_only = spec.security.read_only_root;
            Mount { source, target: target.into(), read_only, ..Mount::default() }
        })
        .chain(spec.mounts.iter().cloned())
        .collect();
    // As containerd does: deeper mounts come later.
    mounts.sort_by_key(|mount| mount.target.components().count());
    let root = RootPlan {
        lower: image.tree.clone(),
        own: own.into(),
        host: image.host.clone(),
        read_only: spec.security.read_only_root,
    };
    let namespaces = sandbox.namespaces().all().iter().map(AsRawFd::as_raw_fd).collect();
    let mounted = |volume: &PathBuf| mounts.iter().any(|mount| mount.target == *volume);
    let image_volumes = image.image.volumes.iter().map(PathBuf::from).filter(|volume| !mounted(volume)).collect();
    ContainerPlan { namespaces, root, image_volumes, mounts, process }
}

/// Returns the plan for the program that the helper becomes.
pub fn process_plan(
    single_user_node: bool,
    sandbox: &Sandbox,
    image: &Unpacked,
    spec: &ContainerSpec,
) -> Result<ProcessPlan> {
    let tree = Root::open(&image.tree).with_context(|| format!("open the image's tree {}", image.tree.display()))?;
    let identity = identity::identify(&tree, &image.image.user, &spec.security)?;
    let working_dir = spec.working_dir.clone().unwrap_or_else(|| image.image.working_dir.clone().into());
    let mut env = environment(&image.image, spec, sandbox.hostname(), &identity);
    if spec.tty {
        name_terminal(&mut env);
    }
    Ok(ProcessPlan {
        argv: argv(&image.image, spec),
        env,
        working_dir: if working_dir.as_os_str().is_empty() { "/".into() } else { working_dir },
        capabilities: identity::capabilities(&spec.security)?,
        identity,
        no_new_privileges: spec.security.no_new_privileges,
        forbid_calls: !spec.security.seccomp_unconfined && seccomp::is_available(),
        single_user_node,
        tty: spec.tty,
    })
}

/// Sets `TERM` for a program with a terminal, unless it is set.
pub fn name_terminal(env: &mut Vec<String>) {
    if !env.iter().any(|entry| entry.starts_with("TERM=")) {
        env.push("TERM=xterm".into());
    }
}

/// Returns the command line. A command replaces the image's entrypoint and arguments; arguments alone replace only the
/// arguments.
fn argv(image: &Image, spec: &ContainerSpec) -> Vec<String> {
    let command = if spec.command.is_empty() { &image.entrypoint } else { &spec.command };
    let image_args: &[String] = if spec.command.is_empty() { &image.cmd } else { &[] };
    let args = if spec.args.is_empty() { image_args } else { &spec.args };
    command.iter().chain(args).cloned().collect()
}

fn environment(image: &Image, spec: &ContainerSpec, hostname: &str, identity: &Identity) -> Vec<String> {
    let mut env = image.env.clone();
    if !env.iter().any(|entry| entry.starts_with("PATH=")) {
        env.insert(0, format!("PATH={DEFAULT_PATH}"));
    }
    set_env(&mut env, "HOSTNAME", hostname);
    for (name, value) in &spec.env {
        set_env(&mut env, name, value);
    }
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", identity.home.display()));
    }
    env
}

/// Sets a variable, replacing an existing one.
pub fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let prefix = format!("{name}=");
    env.retain(|entry| !entry.starts_with(&prefix));
    env.push(prefix + value);
}
