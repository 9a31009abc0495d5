//! Clusters come and go without a trace: twenty in a row, and one whose parent is killed, as root and as an
//! ordinary user. And an ordinary user's run of the whole suite at one replica.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod cluster;
mod suite;
mod traces;
mod who;

use rustix::process::Signal;

use cluster::Up;
use who::Who;

const IN_A_ROW: usize = 20;

/// Each has a pod that runs when it is taken down.
fn come_and_go(who: &Who) {
    for round in 0..IN_A_ROW {
        let up = Up::start(who);
        up.run_a_pod();
        let traces = up.traces();
        assert!(traces.processes() > 2, "round {round}: node and pod are seen while they are there");
        let folder = up.end(Signal::TERM);
        traces.are_gone(&format!("round {round}"));
        assert_eq!(traces::files(&folder), [""; 0], "round {round}");
    }
}

/// What was started lies in the run's directory still, and the next command sweeps it.
fn die_with_their_parent(who: &Who) {
    let up = Up::start(who);
    up.run_a_pod();
    let traces = up.traces();
    let folder = up.end(Signal::KILL);
    traces.are_gone("killed");
    let outside: Vec<_> = traces::files(&folder).into_iter().filter(|file| !file.starts_with("state/")).collect();
    assert_eq!(outside, [""; 0]);
    let swept = who.xtask(folder.path(), &["clusters", "--sweep"]).stdout_capture().stderr_capture().run().unwrap();
    assert!(swept.status.success(), "{}", String::from_utf8_lossy(&swept.stderr));
    assert_eq!(traces::files(&folder), [""; 0], "after the sweep");
}

#[test]
fn twenty_as_root_leave_nothing() {
    who::as_root(come_and_go);
}

#[test]
fn twenty_as_an_ordinary_user_leave_nothing() {
    come_and_go(&Who::ordinary());
}

#[test]
fn roots_die_with_their_parent() {
    who::as_root(die_with_their_parent);
}

#[test]
fn an_ordinary_users_die_with_their_parent() {
    die_with_their_parent(&Who::ordinary());
}

#[test]
fn an_ordinary_user_proves_the_chart() {
    suite::passes(&Who::ordinary());
}
