//! The process that stays outside the node's namespaces: it waits for the node, passes signals on and ends with it.

use std::io::{PipeWriter, Write, stderr, stdin};
use std::os::fd::AsFd;
use std::process::exit;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cgroup::Tree;

/// How long the node may take to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// The same if its starter is gone, so that nobody waits for it.
const ABANDONED_GRACE: Duration = Duration::from_secs(1);

/// Returns the signals that the supervisor handles.
pub fn signals() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD].into_iter().collect()
}

/// Waits for the node's end and exits with its code. `_alive` stays open until then: the node notices when it closes.
pub fn supervise(node: Pid, mask: &SigSet, memory: Option<Tree>, _alive: PipeWriter) -> ! {
    let mut watch = Watch { node, kill_at: None, starter_lives: true };
    let code = match SignalFd::with_flags(mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK) {
        Ok(signals) => watch.until_exit(&signals),
        Err(error) => {
            let _ = writeln!(stderr(), "chartproof node: watch for signals: {error}");
            let _ = kill(node, Signal::SIGKILL);
            watch.wait_blocking()
        }
    };
    if let Some(memory) = memory {
        memory.remove();
    }
    exit(code)
}

struct Watch {
    node: Pid,
    /// Set once the node has been asked to end.
    kill_at: Option<Instant>,
    /// Whether the starter still holds its end of standard input, a pipe.
    starter_lives: bool,
}

impl Watch {
    fn until_exit(&mut self, signals: &SignalFd) -> i32 {
        loop {
            self.wait_for_something(signals);
            while let Ok(Some(info)) = signals.read_signal() {
                if info.ssi_signo != Signal::SIGCHLD as u32 {
                    self.ask(GRACE);
                }
            }
            if self.kill_at.is_some_and(|at| at <= Instant::now()) {
                let _ = kill(self.node, Signal::SIGKILL);
                return self.wait_blocking();
            }
            if let Some(code) = exit_code(waitpid(self.node, Some(WaitPidFlag::WNOHANG))) {
                return code;
            }
        }
    }

    /// Returns on a signal, at the end of standard input, and when the grace period is over.
    fn wait_for_something(&mut self, signals: &SignalFd) {
        let input = stdin();
        let mut polled = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if self.starter_lives {
            polled.push(PollFd::new(input.as_fd(), PollFlags::empty()));
        }
        let timeout = match self.kill_at {
            Some(at) => PollTimeout::try_from(at.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        if poll(&mut polled, timeout).is_err() {
            return;
        }
        let Some(events) = polled.get(1).and_then(PollFd::revents) else { return };
        if events.contains(PollFlags::POLLHUP) {
            self.ask(ABANDONED_GRACE);
        }
        // Closed, or not a descriptor at all: nothing more will come from it.
        self.starter_lives = events.is_empty();
    }

    /// Asks the node to end, always with SIGTERM: the first process of a pid namespace ignores signals for which it has
    /// no handler.
    fn ask(&mut self, grace: Duration) {
        let at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
        let _ = kill(self.node, Signal::SIGTERM);
    }

    fn wait_blocking(&self) -> i32 {
        loop {
            if let Some(code) = exit_code(waitpid(self.node, None)) {
                return code;
            }
        }
    }
}

/// Returns the exit code to end with, or `None` while the node lives.
fn exit_code(status: nix::Result<WaitStatus>) -> Option<i32> {
    match status {
        Ok(WaitStatus::Exited(_, code)) => Some(code),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(128 + signal as i32),
        Err(nix::errno::Errno::ECHILD) => Some(1),
        _ => None,
    }
}
