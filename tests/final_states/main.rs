//! States that can't recover, on a cluster: each ends a wait within 5 s of being final, with the right sentence, and
//! its twin is waited for. One cluster for all rows, a namespace for each.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod golden;
mod place;
mod rows;
mod since;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use embedded::cluster::{Cluster, Faults, Options};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::json;
use tokio::runtime::Runtime;
use xtask::images::{Archive, standin};
use xtask::process::Launcher;
use xtask::tools::{self, Name, Tool};

use rows::Row;

/// What all rows share.
pub struct Shared {
    client: kube::Client,
    cluster: Cluster,
    helm: Tool,
    folder: PathBuf,
    /// An image that no node has at first.
    archive: Archive,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let rows = rows::read();
    // They mostly wait.
    arguments.test_threads.get_or_insert(2 * rows.len() + 1);
    if arguments.list {
        return libtest_mimic::run(&arguments, trials(&rows, None)).exit_code();
    }
    let tokio = Arc::new(tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let shared = Arc::new(tokio.block_on(start(folder.path())));
    let conclusion = libtest_mimic::run(&arguments, trials(&rows, Some((&tokio, &shared))));
    let shared = Arc::into_inner(shared).expect("every row has ended");
    tokio.block_on(shared.cluster.stop()).unwrap();
    conclusion.exit_code()
}

async fn start(folder: &Path) -> Shared {
    let launcher = Launcher::light(false);
    let helm = tools::resolve(&launcher, Name::Helm).await.unwrap();
    let archive = standin::build(&launcher, "/bin/caesium", &["stand-in:late".parse().unwrap()]).await.unwrap();
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_xtask"));
    let cluster = Cluster::start(Options { dir: folder.join("cluster"), exe, faults: faults() }).await.unwrap();
    let client = xtask::kubernetes::client(cluster.kubeconfig(), "chartproof").await.unwrap();
    Shared { client, cluster, helm, folder: folder.to_owned(), archive }
}

/// What goes wrong from outside: registries, volumes, a provisioner; and watches that break under every row.
fn faults() -> Faults {
    let overloaded = "unexpected status from HEAD request: 429 Too Many Requests";
    let faults = json!([
        { "fault": "pullFails", "of": "busybox:missing",
          "message": "failed to resolve reference \"docker.io/library/busybox:missing\": not found" },
        { "fault": "pullFails", "of": "busybox:overloaded", "times": 1, "message": overloaded },
        { "fault": "pullFails", "of": "busybox:unreachable",
          "message": "dial tcp: lookup registry-1.docker.io: i/o timeout" },
        { "fault": "pullFails", "of": "busybox:dns", "times": 2,
          "message": "dial tcp: lookup registry-1.docker.io on 10.244.0.1:53: no such host" },
        { "fault": "mountFails", "of": "detaching", "times": 5, "message": "the volume is still in use" },
        { "fault": "claimNeverBinds", "of": "slow", "times": 1 },
        { "fault": "watchBreaks", "of": "pods", "times": 3 },
        { "fault": "watchExpires", "of": "events", "times": 3 },
    ]);
    serde_json::from_value(faults).unwrap()
}

fn trials(rows: &[Row], given: Option<(&Arc<Runtime>, &Arc<Shared>)>) -> Vec<Trial> {
    let mut trials = vec![Trial::test("every_state_of_the_table_has_a_row_and_a_twin", {
        let rows = rows.to_vec();
        move || Ok(rows::are_complete(&rows)?)
    })];
    for row in rows {
        let sides = [("red", Some(&row.red)), ("twin", row.twin.as_ref())];
        for (side, scene) in sides.into_iter().filter_map(|(side, scene)| Some((side, scene?.clone()))) {
            let (given, final_after) = (given.map(|(tokio, shared)| (tokio.clone(), shared.clone())), row.final_after);
            let name = format!("{}::{side}", row.name());
            let namespace = format!("{side}-{}", row.name().replace([' ', '\''], "-"));
            trials.push(Trial::test(name, move || {
                let (tokio, shared) = given.expect("a listed test is not run");
                tokio.block_on(trial::run(shared, &namespace, &scene, final_after)).map_err(Failed::from)
            }));
        }
    }
    trials
}
