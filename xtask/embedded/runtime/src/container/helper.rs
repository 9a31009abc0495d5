//! The helper processes: this program, executed again inside a container's namespaces, to become the container's
//! program.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{DumpableBehavior, Signal};
use serde::de::DeserializeOwned;

use super::become_program::become_program;
use super::mounts::enter_root;
use super::plan::{ContainerPlan, ExecPlan};
use crate::spawn::{CONTAINER, EXEC};

/// Exit code of a helper that did not become the program.
const EXIT_HELPER_FAILED: i32 = 1;

/// Runs a helper if the arguments request one, and then never returns.
pub fn run_if_asked() {
    let mut arguments = std::env::args().skip(1);
    let (Some(word), Some(control)) = (arguments.next(), arguments.next()) else { return };
    let become_it: fn(&mut UnixStream) -> Result<Infallible> = match word.as_str() {
        CONTAINER => container,
        EXEC => exec,
        _ => return,
    };
    close_on_exec();
    let mut control = match take_descriptor(&control) {
        Ok(control) => UnixStream::from(control),
        Err(error) => {
            let why = "this is a helper of the embedded node, not for use by hand";
            let _ = writeln!(std::io::stderr(), "chartproof {word}: {error:#}: {why}");
            std::process::exit(2);
        }
    };
    let Err(error) = become_it(&mut control);
    let _ = write!(control, "{error:#}");
    std::process::exit(EXIT_HELPER_FAILED);
}

/// Becomes the first process of a container.
fn container(control: &mut UnixStream) -> Result<Infallible> {
    let plan: ContainerPlan = begin(control)?;
    for namespace in &plan.namespaces {
        setns(take_number(*namespace)?, CloneFlags::empty()).context("enter the pod's namespaces")?;
    }
    rustix::process::setsid().context("create a session")?;
    unshare(CloneFlags::CLONE_NEWNS).context("create a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).context("make mounts private")?;
    enter_root(&plan)?;
    become_program(&plan.process, false)
}

/// Becomes an additional process of a container.
fn exec(control: &mut UnixStream) -> Result<Infallible> {
    let plan: ExecPlan = begin(control)?;
    let container = take_number(plan.container)?;
    let all = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS;
    setns(&container, all).context("enter the container's namespaces")?;
    let nested = plan.process.nested_user();
    if nested {
        setns(&container, CloneFlags::CLONE_NEWUSER).context("enter the container's user namespace")?;
    }
    rustix::process::setsid().context("create a session")?;
    become_program(&plan.process, nested)
}

/// Ties the helper's life to the node's and reads its plan.
fn begin<P: DeserializeOwned>(control: &mut UnixStream) -> Result<P> {
    // The container's own processes see a helper that has joined them. They may neither inspect it nor stop it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .context("protect the helper from other processes")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .context("request a signal when the node dies")?;
    let mut plan = Vec::new();
    control.read_to_end(&mut plan).context("read the plan")?;
    serde_json::from_slice(&plan).context("read the plan")
}

/// Keeps everything out of a container that the node's starter had open, or that only a helper has open.
#[expect(unsafe_code, reason = "the call closes nothing now: it only marks descriptors")]
fn close_on_exec() {
    let first = 3_u32;
    // A kernel before Linux 5.11 can't do this; there, this program marks its own descriptors as it opens them.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

fn take_descriptor(number: &str) -> Result<OwnedFd> {
    take_number(number.parse().with_context(|| format!("{number:?} is not a descriptor"))?)
}

/// Copies an inherited descriptor so that the program won't see it, and marks the original as well.
#[expect(unsafe_code, reason = "borrowed for two calls only, which return EBADF if nothing is open")]
fn take_number(number: i32) -> Result<OwnedFd> {
    anyhow::ensure!(number > 2, "{number} is not an inherited descriptor");
    let inherited = unsafe { BorrowedFd::borrow_raw(number) };
    let copy = inherited.try_clone_to_owned().with_context(|| format!("descriptor {number}"))?;
    rustix::io::fcntl_setfd(inherited, rustix::io::FdFlags::CLOEXEC).with_context(|| format!("descriptor {number}"))?;
    Ok(copy)
}
