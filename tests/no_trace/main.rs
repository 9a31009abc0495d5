//! Clusters leave no trace: twenty in a row, and one whose parent is killed, as root and as an ordinary user. And what
//! an ordinary user gets: a run of the whole suite with one replica, or the name of the setting that forbids it.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod cluster;
#[path = "../command.rs"]
mod command;
mod forbidden;
#[path = "../node_program.rs"]
mod node_program;
mod suite;
mod traces;
mod who;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rustix::process::Signal;

use cluster::Up;
use who::Who;

const IN_A_ROW: usize = 20;
/// One in this many clusters has a running pod when it is taken down.
const POD_EVERY: usize = 4;

fn main() -> std::process::ExitCode {
    let trials = vec![
        trial("twenty_clusters_of_root_leave_nothing", Who::root, clusters_come_and_go),
        trial("twenty_clusters_of_an_ordinary_user_leave_nothing", Who::ordinary, clusters_come_and_go),
        trial("roots_clusters_die_with_their_parent", Who::root, clusters_die_with_their_parent),
        trial("an_ordinary_users_clusters_die_with_their_parent", Who::ordinary, clusters_die_with_their_parent),
        trial("an_ordinary_user_proves_the_chart", Who::ordinary, suite::passes),
        trial("the_setting_that_forbids_user_namespaces_is_named", Who::ordinary, forbidden::is_named),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Returns a test as a given user; if no such user is possible here, it is ignored with the reason.
fn trial(name: &str, who: fn() -> Result<Who, String>, test: fn(&Who)) -> Trial {
    Trial::ignorable_test(name, move || match who() {
        Ok(who) => {
            // As in any other test, only a panic is a failure.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&who)));
            outcome.map(|()| Completion::Completed).map_err(|_| Failed::without_message())
        }
        Err(why) => Ok(Completion::ignored_with(why)),
    })
}

fn clusters_come_and_go(who: &Who) {
    for round in 0..IN_A_ROW {
        let up = Up::start(who);
        if round % POD_EVERY == 0 {
            up.run_a_pod();
        }
        let traces = up.traces();
        assert!(traces.left().len() > 2, "round {round}: a running cluster has traces: {:?}", traces.left());
        let folder = up.end(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        traces.are_gone(&format!("round {round}"));
        assert_eq!(traces::files(&folder), [""; 0], "round {round}");
        who.left_nothing_outside(&folder);
    }
}

/// Checks that the next command sweeps the files that a killed one left in its run directory.
fn clusters_die_with_their_parent(who: &Who) {
    let up = Up::start(who);
    up.run_a_pod();
    let traces = up.traces();
    let folder = up.end(Signal::KILL);
    traces.are_gone("killed");
    let outside: Vec<_> = traces::files(&folder).into_iter().filter(|file| !file.starts_with("state/")).collect();
    assert_eq!(outside, [""; 0]);
    let swept = who.xtask(folder.path(), &["cluster", "sweep"]).stdout_capture().stderr_capture().run().unwrap();
    assert!(swept.status.success(), "{}", String::from_utf8_lossy(&swept.stderr));
    assert_eq!(traces::files(&folder), [""; 0], "after the sweep");
    who.left_nothing_outside(&folder);
}
