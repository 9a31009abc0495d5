//! The clusters of these tests, each started when the first case needs it.

use std::fmt::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use embedded::cluster::{Cluster, Faults, Options};
use images::standin;
use process::Launcher;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::client::Clients;
use super::node_program::node_program;
use super::who::{Who, open_folder};

/// A cluster of the user who runs the tests, and one of an ordinary user.
pub struct Clusters {
    tokio: Runtime,
    folder: TempDir,
    own: OnceLock<Clients>,
    /// With the copy of the program that the user runs.
    ordinary: OnceLock<Result<(Who, Clients), String>>,
    started: Mutex<Vec<Cluster>>,
}

impl Clusters {
    /// Returns clusters of which none has been started yet.
    pub fn new() -> Self {
        Self {
            tokio: Runtime::new().unwrap(),
            folder: open_folder(),
            own: OnceLock::new(),
            ordinary: OnceLock::new(),
            started: Mutex::default(),
        }
    }

    /// Returns clients of the cluster of the user who runs the tests.
    pub fn own(&self) -> &Clients {
        self.own.get_or_init(|| self.start("own", self.tokio.block_on(node_program())))
    }

    /// Returns clients of an ordinary user's cluster, or an error if there can be none.
    pub fn ordinary(&self) -> Result<&Clients, String> {
        let started = self.ordinary.get_or_init(|| {
            let who = Who::ordinary()?;
            let clients = self.start("ordinary", self.dropping(&who));
            Ok((who, Clients { is_root: false, ..clients }))
        });
        started.as_ref().map(|(_, clients)| clients).map_err(Clone::clone)
    }

    /// Creates a program that becomes the user and then the node, and a run directory that the user may write.
    fn dropping(&self, who: &Who) -> PathBuf {
        let mut script = "#!/bin/sh\n".to_owned();
        let program = who.program("embedded-node");
        let program = program.display();
        if let Some(user) = who.user {
            writeln!(script, "exec setpriv --reuid {user} --regid {user} --clear-groups {program} \"$@\"").unwrap();
            let directory = self.folder.path().join("ordinary");
            std::fs::create_dir(&directory).unwrap();
            chown(&directory, Some(user), Some(user)).unwrap();
        }
        let path = self.folder.path().join("dropping");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Starts a cluster with the stand-in, under the image name that the chart uses.
    fn start(&self, name: &str, program: PathBuf) -> Clients {
        let options = Options { dir: self.folder.path().join(name), program, faults: Faults::default() };
        self.tokio.block_on(async {
            let cluster = Cluster::start(options).await.unwrap();
            cluster.load_images(&stand_in(&self.folder.path().join(format!("{name}.tar"))).await).await.unwrap();
            let clients = Clients::of(cluster.kubeconfig(), self.folder.path()).await;
            self.started.lock().unwrap().push(cluster);
            clients
        })
    }

    /// Stops all started clusters.
    pub fn stop(&self) {
        for cluster in self.started.lock().unwrap().drain(..) {
            self.tokio.block_on(cluster.stop()).unwrap();
        }
    }
}

/// Returns the stand-in's archive, readable by everybody.
async fn stand_in(archive: &Path) -> PathBuf {
    let image = "caesiumcloud/caesium:v0.1.0".parse().unwrap();
    let built = standin::build(&Launcher::light(false), "/bin/caesium", &[image]).await.unwrap();
    std::fs::copy(built.path, archive).unwrap();
    archive.to_owned()
}
