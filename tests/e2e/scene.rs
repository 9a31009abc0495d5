//! A run of the real binary in a folder of its own.

#[path = "../formats/mod.rs"]
mod formats;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command::command;
use serde_json::Value;
use tempfile::TempDir;

/// Returns the suite of the repository.
pub fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium/e2e.toml").canonicalize().unwrap()
}

/// A folder that contains everything of a run.
pub struct Scene {
    /// The working directory of the run.
    pub folder: TempDir,
    /// Additional environment.
    pub env: Vec<(&'static str, String)>,
}

/// The results of a run.
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its events.
    pub events: Vec<Value>,
}

impl Scene {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    /// Returns the folder with reports and evidence.
    pub fn report(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    /// Returns the command `xtask e2e` with these flags.
    pub fn command(&self, flags: &[&str]) -> duct::Expression {
        self.xtask(&[&["e2e"], flags].concat())
            .stdout_path(self.folder.path().join("stdout"))
            .stderr_path(self.folder.path().join("stderr"))
    }

    /// Returns the command `xtask` with these words; the caller redirects its output.
    pub fn xtask(&self, words: &[&str]) -> duct::Expression {
        // These tests may run under nohup themselves, and a run that inherits this ignores SIGHUP.
        self.program("env", &[&["--default-signal=HUP", env!("CARGO_BIN_EXE_chartproof")], words].concat())
    }

    /// Returns a command in the same environment as `xtask`.
    pub fn program(&self, program: &str, words: &[&str]) -> duct::Expression {
        let mut env: BTreeMap<_, _> = std::env::vars_os().collect();
        env.retain(|name, _| name != "CI" && name != "CHARTPROOF_REPORT_DIR");
        env.insert("XDG_STATE_HOME".into(), self.folder.path().join("state").into());
        env.extend(self.env.iter().map(|(name, value)| (name.into(), value.into())));
        command(program, words).dir(self.folder.path()).full_env(env).stdin_null().unchecked()
    }

    /// Returns the command that runs the suite of the repository on the embedded cluster.
    pub fn embedded(&self, flags: &[&str]) -> duct::Expression {
        let common = self.on_embedded();
        self.command(&[common.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), flags].concat())
    }

    /// Returns the flags of a run of that suite on the embedded cluster.
    pub fn on_embedded(&self) -> Vec<String> {
        let (suite, report) = (suite().display().to_string(), self.report().display().to_string());
        ["--suite", &suite, "--cluster", "embedded", "--report-dir", &report].map(str::to_owned).into()
    }

    /// Returns the results of a command that ended with this code, and checks its reports against their schemas.
    pub fn ended(&self, code: Option<i32>) -> Ended {
        let events = read(&self.report().join("events.jsonl"));
        // A killed run may have been writing a line.
        let whole = events.rfind('\n').map_or("", |end| &events[..end]);
        let events: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        formats::events::check(&events).unwrap_or_else(|wrong| panic!("{wrong}"));
        let junit = read(&self.report().join("junit.xml"));
        if !junit.is_empty() {
            formats::junit::check(&junit).unwrap_or_else(|wrong| panic!("{wrong}\n{junit}"));
        }
        Ended { events, ..self.ended_without_events(code) }
    }

    /// Returns the same if there are no events to read.
    pub fn ended_without_events(&self, code: Option<i32>) -> Ended {
        Ended {
            code: code.expect("it ended by itself"),
            stdout: read(&self.folder.path().join("stdout")),
            stderr: read(&self.folder.path().join("stderr")),
            events: Vec::new(),
        }
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &duct::Expression) -> Ended {
        let output = command.run().unwrap();
        self.ended(output.status.code())
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

impl Ended {
    /// Returns the verdict of a case: `passed`, `failed`, `not_run`; `None` if it is not in the events.
    pub fn verdict(&self, case: &str) -> Option<&str> {
        self.end(case)?["verdict"].as_str()
    }

    /// Returns the message of a failed case.
    pub fn message(&self, case: &str) -> &str {
        self.end(case).and_then(|verdict| verdict["message"].as_str()).unwrap_or("")
    }

    /// Returns all failed cases.
    pub fn red(&self) -> Vec<&str> {
        let ended = self.events.iter().filter(|event| event["verdict"]["verdict"] == "failed");
        ended.filter_map(|event| event["case"].as_str()).collect()
    }

    fn end(&self, case: &str) -> Option<&Value> {
        let ended = |event: &&Value| event["type"] == "case_ended" && event["case"] == case;
        self.events.iter().find(ended).map(|event| &event["verdict"])
    }

    /// Returns its exit code and all of its output, for a failed assertion.
    pub fn told(&self) -> String {
        format!("exit code {}\n--- stderr\n{}\n--- stdout\n{}", self.code, self.stderr, self.stdout)
    }
}
