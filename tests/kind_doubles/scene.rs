//! A folder with doubles of kind and docker, the rules they play by, and a run that uses them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use xtask::cluster::{self, Choice, Cluster, Problems, Request};
use xtask::events::{Event, Events, What};
use xtask::images::Archive;
use xtask::process::Launcher;

/// The run's id, which names the cluster.
pub const RUN: &str = "ab12";
/// The cluster's name.
pub const NAME: &str = "chartproof-ab12";

const RECORDINGS: &str = include_str!("../fixtures/kind/recordings.jsonl");

/// When a recording is played, and what follows. See `tests/doubles.rs`.
pub struct Rule(Value);

pub fn rule(recording: &str) -> Rule {
    Rule(json!({"recording": recording, "when": [], "times": null, "steps": [], "then": null, "writes": null}))
}

impl Rule {
    pub fn plays(&self, recording: &str) -> bool {
        self.0["recording"] == recording
    }

    pub fn when(mut self, states: &[&str]) -> Self {
        self.0["when"] = json!(states);
        self
    }

    pub fn times(mut self, times: usize) -> Self {
        self.0["times"] = json!(times);
        self
    }

    /// A state that holds until another recording was started.
    pub fn step(mut self, state: &str, until: &str) -> Self {
        let steps = self.0["steps"].as_array_mut().unwrap();
        steps.push(json!({"state": state, "until": until}));
        self
    }

    pub fn then(mut self, state: &str) -> Self {
        self.0["then"] = json!(state);
        self
    }

    pub fn writes(mut self, file: &str) -> Self {
        self.0["writes"] = json!(file);
        self
    }
}

/// What the tools do where all goes well, besides creating and loading.
pub fn common() -> Vec<Rule> {
    vec![
        rule("docker--version"),
        rule("docker-version"),
        rule("docker-info"),
        rule("kind-version"),
        rule("kind-get-clusters-none").when(&["absent"]),
        rule("kind-get-clusters"),
        rule("kind-get-nodes-none").when(&["absent"]),
        rule("kind-get-nodes"),
        rule("node-images-not-up").when(&["booting"]),
        rule("node-images-bare").when(&["runtime"]),
        rule("node-images").when(&["loaded", "created"]),
        rule("kind-export-logs"),
        rule("kind-delete").then("absent"),
    ]
}

/// Creation, during which the node's runtime comes up, and a load that works.
pub fn healthy() -> Vec<Rule> {
    let create = rule("kind-create").when(&["absent"]).writes("$DIR/kubeconfig").then("created");
    let mut rules = common();
    rules.push(create.step("booting", "node-images-not-up").step("runtime", "node-images"));
    rules.push(rule("kind-load-archive").when(&["runtime", "created"]).then("loaded"));
    rules
}

pub struct Scene {
    dir: tempfile::TempDir,
    pub launcher: Launcher,
    pub cancel: CancellationToken,
    events: UnboundedReceiver<Event>,
}

impl Scene {
    pub fn new(rules: &[Rule]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scene_dir = dir.path();
        for folder in ["bin", "run", "leases"] {
            fs::create_dir(scene_dir.join(folder)).unwrap();
        }
        for tool in ["kind", "docker"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_double"), scene_dir.join("bin").join(tool)).unwrap();
        }
        let fill = |text: &str| {
            text.replace("$NAME", NAME)
                .replace("$IMAGE", xtask::tools::pins::node_image())
                .replace("$DIR", &scene_dir.join("run").display().to_string())
                .replace("$ARCHIVE", &scene_dir.join("images.tar").display().to_string())
        };
        let rules = json!(rules.iter().map(|rule| &rule.0).collect::<Vec<_>>()).to_string();
        fs::write(scene_dir.join("bin/recordings.jsonl"), fill(RECORDINGS)).unwrap();
        fs::write(scene_dir.join("bin/rules.json"), fill(&rules)).unwrap();
        let (events, stream) = Events::channel();
        let cancel = CancellationToken::new();
        let launcher = Launcher::for_run(events, &scene_dir.join("run"), false, cancel.clone()).unwrap();
        let launcher = launcher.searching(scene_dir.join("bin"));
        Self { dir, launcher, cancel, events: stream }
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

    /// The cluster that `--cluster kind` leads to.
    pub async fn cluster(&self) -> Cluster {
        let mut problems = Problems::default();
        let cluster = cluster::prepare(&self.launcher, &self.request(), &mut problems).await.unwrap();
        problems.into_result().unwrap();
        cluster.unwrap()
    }

    /// The same, created and loaded.
    pub async fn up(&self) -> Cluster {
        let (cluster, archives) = (self.cluster().await, [self.archive()]);
        let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
        created.unwrap();
        loaded.unwrap();
        cluster
    }

    /// The archive that the recordings load.
    pub fn archive(&self) -> Archive {
        let references = ["busybox:1.36.1", "caesiumcloud/caesium:dev"].map(|text| text.parse().unwrap()).to_vec();
        Archive { path: self.path("images.tar"), references }
    }

    /// The recordings that were played, in the order in which they were started.
    pub fn played(&self) -> Vec<String> {
        self.log().lines().filter_map(|line| line.split('\t').next().map(str::to_owned)).collect()
    }

    /// The command lines, with the scene's folder as `SCENE`.
    pub fn lines(&self) -> Vec<String> {
        let log = self.log().replace(&self.dir.path().display().to_string(), "SCENE");
        log.lines().filter_map(|line| line.split('\t').nth(1).map(str::to_owned)).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("bin/log")).unwrap_or_default()
    }

    pub fn count(&self, recording: &str) -> usize {
        self.played().iter().filter(|played| *played == recording).count()
    }

    /// Whether any lease is held.
    pub fn leased(&self) -> bool {
        !cluster::lease::all(&self.path("leases")).unwrap().is_empty()
    }

    /// The notes of the event stream so far.
    pub fn notes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .filter_map(|event| if let What::Note { text } = event.what { Some(text) } else { None })
            .collect()
    }
}
