//! A folder with fakes of kind and docker, and a run that uses them, without the binary.

use std::fs;
use std::path::PathBuf;

use cluster::{self, Choice, Cluster, Problems, Request};
use events::{Event, Events, What};
use images::Archive;
use process::Launcher;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::doubles::{Doubles, Rule};

/// The run's id, which names the cluster.
pub const RUN: &str = "ab12";
/// The cluster's name.
pub const NAME: &str = "chartproof-ab12";

pub struct Scene {
    dir: tempfile::TempDir,
    pub doubles: Doubles,
    pub launcher: Launcher,
    pub cancel: CancellationToken,
    events: UnboundedReceiver<Event>,
}

impl Scene {
    pub fn new(rules: &[Rule]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        for folder in ["run", "leases"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let doubles = Doubles::new(dir.path(), &run, rules);
        let (events, stream) = Events::channel();
        let cancel = CancellationToken::new();
        let launcher = Launcher::for_run(events, &run, false, cancel.clone()).unwrap();
        let launcher = launcher.searching(doubles.bin());
        Self { dir, doubles, launcher, cancel, events: stream }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn request(&self) -> Request {
        Request {
            choice: Choice::Kind,
            run_id: RUN.to_owned(),
            run_dir: self.path("run"),
            leases: self.path("leases"),
            ..Request::default()
        }
    }

    /// Returns the cluster that `--cluster kind` selects.
    pub async fn cluster(&self) -> Cluster {
        let mut problems = Problems::default();
        let cluster = cluster::prepare(&self.launcher, &self.request(), &mut problems).await.unwrap();
        problems.into_result().unwrap();
        cluster.unwrap()
    }

    /// Returns the same, created and loaded.
    pub async fn up(&self) -> Cluster {
        let (cluster, archives) = (self.cluster().await, [self.archive()]);
        let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
        created.unwrap();
        loaded.unwrap();
        cluster
    }

    /// Returns the archive that the recordings load.
    pub fn archive(&self) -> Archive {
        let references = ["busybox:1.36.1", "caesiumcloud/caesium:dev"].map(|text| text.parse().unwrap()).to_vec();
        Archive { path: self.path("images.tar"), references }
    }

    /// Returns whether any lease exists.
    pub fn leased(&self) -> bool {
        !cluster::lease::all(&self.path("leases")).unwrap().is_empty()
    }

    /// Returns the notes in the event stream so far.
    pub fn notes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .filter_map(|event| if let What::Note { text } = event.what { Some(text) } else { None })
            .collect()
    }
}
