//! The helper processes: this program executed anew, inside a container's namespaces, to become its program.

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

/// Runs a helper where the arguments ask for one, and never returns then.
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
    rustix::process::setsid().context("make a session")?;
    unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).context("make mounts private")?;
    enter_root(&plan)?;
    become_program(&plan.process, false)
}

/// Becomes a further process of a container.
fn exec(control: &mut UnixStream) -> Result<Infallible> {
    let plan: ExecPlan = begin(control)?;
    let container = take_number(plan.container)?;
    let all = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS;
    setns(&container, all).context("enter the container's namespaces")?;
    let nested = plan.process.nested_user();
    if nested {
        setns(&container, CloneFlags::CLONE_NEWUSER).context("enter the container's user namespace")?;
    }
    rustix::process::setsid().context("make a session")?;
    become_program(&plan.process, nested)
}

/// Ties the helper's life to the node's and reads its orders.
fn begin<P: DeserializeOwned>(control: &mut UnixStream) -> Result<P> {
    // The container's own processes see a helper that has come to them: they may not look into it, nor hold it up.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context("close the helper to others")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .context("ask for a signal at the node's death")?;
    let mut plan = Vec::new();
    control.read_to_end(&mut plan).context("read the plan")?;
    serde_json::from_slice(&plan).context("read the plan")
}

/// Nothing that whoever started the node had open, or that is open for a helper alone, survives into a container.
#[expect(unsafe_code, reason = "the call closes nothing now: it marks descriptors, whoever owns them")]
fn close_on_exec() {
    let first = 3_u32;
    // A kernel before Linux 5.11 marks none: those of this program are marked one by one, as they are opened.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

fn take_descriptor(number: &str) -> Result<OwnedFd> {
    take_number(number.parse().with_context(|| format!("{number:?} is no descriptor"))?)
}

/// A copy of an inherited descriptor, one that the program won't see. The original is closed to it as well.
#[expect(unsafe_code, reason = "borrowed for two calls only, which answer EBADF where nothing is open")]
fn take_number(number: i32) -> Result<OwnedFd> {
    anyhow::ensure!(number > 2, "{number} is no inherited descriptor");
    let inherited = unsafe { BorrowedFd::borrow_raw(number) };
    let copy = inherited.try_clone_to_owned().with_context(|| format!("descriptor {number}"))?;
    rustix::io::fcntl_setfd(inherited, rustix::io::FdFlags::CLOEXEC).with_context(|| format!("descriptor {number}"))?;
    Ok(copy)
}
