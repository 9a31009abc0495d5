//! Runs helm for these tests: without a cluster, without the user's configuration.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use process::Launcher;
use tools::{self, Name, Tool};

use crate::command::command;
use crate::manifests::Manifests;

/// A chart of this repository, by its folder below `helm`.
#[derive(Clone, Copy)]
pub struct Chart(pub &'static str);

impl Chart {
    pub fn path(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm").join(self.0)
    }

    /// Returns a values file in `ci`, by its name.
    pub fn ci(self, name: &str) -> PathBuf {
        self.path().join("ci").join(name)
    }

    /// Returns every values file in `ci`.
    pub fn variants(self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("ci")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Returns the text of values.yaml.
    pub fn values(self) -> String {
        std::fs::read_to_string(self.path().join("values.yaml")).unwrap()
    }

    /// Returns a rendering with the defaults, for a release named like the folder.
    pub fn render(self) -> Render {
        let release = self.0.rsplit('/').next().unwrap().into();
        Render { chart: self.path(), release, args: Vec::new() }
    }
}

/// The helm binaries to test with: the pinned helm 4 and helm 3 if they run here, or else those on this machine.
pub static HELMS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let launcher = Launcher::light(false);
    let tool = |tool: Result<Tool, _>| tool.unwrap_or_else(|missing| panic!("{missing}")).path;
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return vec![tool(runtime.block_on(tools::resolve(&launcher, Name::Helm)))];
    }
    let pinned = |version: &str| tools::resolve_version(&launcher, Name::Helm, version.parse().unwrap());
    ["4.1.4", "3.17.3"].into_iter().map(|version| tool(runtime.block_on(pinned(version)))).collect()
});

/// The output of one call of helm.
pub struct Said {
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Runs this helm with these arguments, without the user's environment.
pub fn run(helm: &Path, args: &[&str]) -> Said {
    let home = tempfile::tempdir().unwrap();
    let environment = [("HOME", home.path()), ("KUBECONFIG", Path::new("/dev/null"))];
    let expression = command(helm, args).full_env(environment).stdout_capture().stderr_capture().unchecked();
    let output = expression.run().unwrap_or_else(|error| panic!("{}: {error}", helm.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { ok: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// A rendering to be made, in the namespace `default`.
pub struct Render {
    chart: PathBuf,
    release: String,
    args: Vec<String>,
}

impl Render {
    pub fn release(mut self, release: &str) -> Render {
        self.release = release.into();
        self
    }

    /// Adds a values file.
    pub fn file(mut self, path: &Path) -> Render {
        self.args.extend(["--values".into(), path.display().to_string()]);
        self
    }

    /// Adds one value, as JSON.
    pub fn value(mut self, path: &str, json: impl std::fmt::Display) -> Render {
        self.args.extend(["--set-json".into(), format!("{path}={json}")]);
        self
    }

    fn call(&self, helm: &Path, verb: &[&str]) -> Said {
        let chart = self.chart.display().to_string();
        let mut args = verb.to_vec();
        args.extend([self.release.as_str(), chart.as_str()]);
        args.extend(self.args.iter().map(String::as_str));
        run(helm, &args)
    }

    /// Returns the text rendered by one helm, or its error.
    pub fn text(&self, helm: &Path) -> Result<String, String> {
        let said = self.call(helm, &["template", "--namespace", "default"]);
        if said.ok { Ok(said.stdout) } else { Err(said.stderr) }
    }

    /// Returns the notes that an installation would print.
    pub fn notes(&self) -> String {
        let said = self.call(&HELMS[0], &["install", "--dry-run=client", "--namespace", "default"]);
        assert!(said.ok, "{}", said.stderr);
        let (_, notes) = said.stdout.split_once("NOTES:\n").expect("no notes");
        notes.to_owned()
    }

    /// Returns the parsed rendering of the first helm.
    pub fn manifests(&self) -> Manifests {
        Manifests::parse(
            &self.text(&HELMS[0]).unwrap_or_else(|stderr| panic!("helm template {:?}: {stderr}", self.args)),
        )
    }
}
