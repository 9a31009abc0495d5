//! Unrecoverable states on a cluster: each ends a wait within 5 s of becoming final, with the right message, and its
//! twin, which recovers, is waited for. All rows share one cluster, with a namespace for each.

mod golden;
mod place;
mod rows;
mod since;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use embedded::cluster::{Cluster, Faults, Options};
use images::{Archive, standin};
use libtest_mimic::Trial;
use process::Launcher;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tools::{self, Name, Tool};

use crate::node_program::node_program;
use rows::{Row, Scene};
use trial::Wrong;

/// How often a row is run if its wait ends late. Once can be the fault of the machine, which many rows share and which
/// stalls for seconds at times; a wait that is too slow by itself is late each time.
const TRIES: u32 = 3;

/// What all rows share.
pub struct Shared {
    client: kube::Client,
    cluster: Cluster,
    helm: Tool,
    folder: PathBuf,
    /// An image that the node does not have at first.
    archive: Archive,
}

/// The rows' cluster, started by the first row that needs it.
#[derive(Clone)]
pub struct Stand(Arc<OnceLock<Running>>);

struct Running {
    tokio: Runtime,
    shared: Arc<Shared>,
    _folder: TempDir,
}

impl Stand {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Returns two trials for most rows.
    pub fn trials(&self) -> Vec<Trial> {
        let rows = rows::read();
        let mut trials = vec![Trial::test("unrecoverable::every_one_of_the_table_has_a_row_and_a_twin", {
            let rows = rows.clone();
            move || Ok(rows::are_complete(&rows)?)
        })];
        for row in &rows {
            let sides = [("red", Some(&row.red)), ("twin", row.twin.as_ref())];
            trials.extend(sides.into_iter().filter_map(|(side, scene)| Some(self.trial(row, side, scene?.clone()))));
        }
        trials
    }

    fn trial(&self, row: &Row, side: &str, scene: Scene) -> Trial {
        let (stand, final_after) = (self.clone(), row.final_after);
        let namespace = format!("{side}-{}", row.name().replace([' ', '\''], "-"));
        Trial::test(format!("unrecoverable::{}::{side}", row.name()), move || {
            let Running { tokio, shared, .. } = stand.0.get_or_init(Running::start);
            let mut tried = 1;
            loop {
                let name = if tried == 1 { namespace.clone() } else { format!("{namespace}-{tried}") };
                match tokio.block_on(trial::run(shared.clone(), &name, &scene, final_after)) {
                    Err(Wrong::Late(_)) if tried < TRIES => tried += 1,
                    Err(Wrong::Late(why) | Wrong::Other(why)) => return Err(why.into()),
                    Ok(()) => return Ok(()),
                }
            }
        })
    }

    /// Stops the cluster; call it when every row has ended.
    pub fn stop(self) {
        if let Some(Running { tokio, shared, .. }) = Arc::into_inner(self.0).expect("every row has ended").into_inner()
        {
            let shared = Arc::into_inner(shared).expect("every row has ended");
            tokio.block_on(shared.cluster.stop()).unwrap();
        }
    }
}

impl Running {
    fn start() -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::new(tokio.block_on(start(folder.path())));
        Self { tokio, shared, _folder: folder }
    }
}

async fn start(folder: &Path) -> Shared {
    let launcher = Launcher::light(false);
    let helm = tools::resolve(&launcher, Name::Helm).await.unwrap();
    let archive = standin::build(&launcher, "/bin/caesium", &["stand-in:late".parse().unwrap()]).await.unwrap();
    let program = node_program().await;
    let cluster = Cluster::start(Options { dir: folder.join("cluster"), program, faults: faults() }).await.unwrap();
    let client = kubernetes::client(cluster.kubeconfig(), "chartproof").await.unwrap();
    Shared { client, cluster, helm, folder: folder.to_owned(), archive }
}

/// Returns the external failures: registries, volumes, a provisioner; and watches that break under every row.
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
        { "fault": "mountFails", "of": "elsewhere", "message": "the volume is not attached" },
        { "fault": "mountFails", "of": "attaching", "times": 5, "message": "the volume is not attached" },
        { "fault": "claimNeverBinds", "of": "slow", "times": 1 },
        { "fault": "watchBreaks", "of": "pods", "times": 3 },
        { "fault": "watchExpires", "of": "events", "times": 3 },
    ]);
    serde_json::from_value(faults).unwrap()
}
