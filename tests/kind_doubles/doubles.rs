//! The fakes of the tools in a folder, and their rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use process::Launcher;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const RECORDINGS: &str = include_str!("../fixtures/kind/recordings.jsonl");
const UNDER_KIND: &str = include_str!("../fixtures/kind/docker-under-kind.jsonl");

/// When a recording is replayed, and with which effects. See `tests/doubles`.
#[derive(Clone)]
pub struct Rule(Value);

pub fn rule(recording: &str) -> Rule {
    Rule(json!({"recording": recording, "when": [], "times": null, "steps": [], "then": null, "does": null}))
}

impl From<Value> for Rule {
    /// Parses a rule; missing keys are as in [`rule`].
    fn from(said: Value) -> Self {
        let mut rule = rule("");
        for (key, value) in said.as_object().into_iter().flatten() {
            rule.0[key] = value.clone();
        }
        rule
    }
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

    /// Adds a state that lasts until another recording was started.
    pub fn step(mut self, state: &str, until: &str) -> Self {
        let steps = self.0["steps"].as_array_mut().unwrap();
        steps.push(json!({"state": state, "until": until}));
        self
    }

    pub fn then(mut self, state: &str) -> Self {
        self.0["then"] = json!(state);
        self
    }

    pub fn writes(self, file: &str) -> Self {
        self.does(json!({"writes": file}))
    }

    /// Sets its effect besides output.
    pub fn does(mut self, effect: Value) -> Self {
        self.0["does"] = effect;
        self
    }
}

/// Returns the tools' rules without faults, except for creating and loading.
pub fn common() -> Vec<Rule> {
    vec![
        rule("docker--version"),
        rule("docker-version"),
        rule("docker-info"),
        rule("kind-version"),
        rule("node-image"),
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

/// Returns the rules of a creation, during which the node's runtime comes up, and of a load that works.
pub fn healthy() -> Vec<Rule> {
    let create = rule("kind-create").when(&["absent"]).writes("$DIR/kubeconfig").then("created");
    let mut rules = common();
    rules.push(create.step("booting", "node-images-not-up").step("runtime", "node-images"));
    rules.push(rule("kind-load-archive").when(&["runtime", "created"]).then("loaded"));
    rules
}

/// Returns the program that plays the tools, which cargo compiles once.
fn double() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let program = async { images::program(&Launcher::light(false), "double").await.unwrap().executable };
        Runtime::new().unwrap().block_on(program)
    };
    // In a thread of its own: a runtime can't be started within another.
    PROGRAM.get_or_init(|| std::thread::spawn(build).join().unwrap())
}

/// Fakes of kind and docker, in `bin` of a folder.
pub struct Doubles {
    base: PathBuf,
}

impl Doubles {
    /// Creates the fakes. `$DIR` in the recordings is the run's folder, `$BASE` that of the fakes.
    pub fn new(base: &Path, run: &Path, rules: &[Rule]) -> Self {
        let doubles = Self { base: base.to_owned() };
        fs::create_dir(doubles.bin()).unwrap();
        for tool in ["kind", "docker"] {
            std::os::unix::fs::symlink(double(), doubles.bin().join(tool)).unwrap();
        }
        let fill = |text: &str| {
            text.replace("$IMAGE", tools::pins::node_image())
                .replace("$DIR", &run.display().to_string())
                .replace("$BASE", &base.display().to_string())
                .replace("$ARCHIVE", &base.join("images.tar").display().to_string())
        };
        fs::write(doubles.bin().join("recordings.jsonl"), fill(&[RECORDINGS, UNDER_KIND].concat())).unwrap();
        let rules = json!(rules.iter().map(|rule| &rule.0).collect::<Vec<_>>()).to_string();
        fs::write(doubles.bin().join("rules.json"), fill(&rules)).unwrap();
        doubles
    }

    /// Returns the folder that has to be on `PATH`.
    pub fn bin(&self) -> PathBuf {
        self.base.join("bin")
    }

    /// Returns the replayed recordings, in the order in which they were started.
    pub fn played(&self) -> Vec<String> {
        self.log().lines().filter_map(|line| line.split('\t').next().map(str::to_owned)).collect()
    }

    /// Returns the command lines, with the folder as `SCENE`.
    pub fn lines(&self) -> Vec<String> {
        let log = self.log().replace(&self.base.display().to_string(), "SCENE");
        log.lines().filter_map(|line| line.split('\t').nth(1).map(str::to_owned)).collect()
    }

    /// Returns how often a recording was replayed.
    pub fn count(&self, recording: &str) -> usize {
        self.played().iter().filter(|played| *played == recording).count()
    }

    /// Returns the command lines that had no recording.
    pub fn refused(&self) -> Vec<String> {
        self.log().lines().filter_map(|line| Some(line.strip_prefix("REFUSED\t")?.to_owned())).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.bin().join("log")).unwrap_or_default()
    }
}
