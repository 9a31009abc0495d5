//! A folder with charts, and a helm of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use process::{Launcher, Output};
use tempfile::TempDir;
use tools::{self, Name, Tool};

/// A folder with charts.
pub struct Scene {
    folder: TempDir,
    helm: Tool,
}

impl Scene {
    pub fn new() -> Self {
        let launcher = Launcher::light(false);
        let helm = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(tools::resolve(&launcher, Name::Helm)).unwrap()
        });
        Self { folder: tempfile::tempdir().unwrap(), helm: helm.join().unwrap() }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Returns the path of helm, as command lines show it.
    pub fn helm(&self) -> String {
        self.helm.path.display().to_string()
    }

    /// Returns every file below a folder, with its content.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut found, mut open) = (BTreeMap::new(), vec![self.path(folder)]);
        while let Some(folder) = open.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    open.push(path);
                } else {
                    drop(found.insert(path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        found
    }

    /// Writes a suite file with these lines for its chart.
    pub fn write_suite(&self, folder: &str, chart: &str) {
        std::fs::create_dir_all(self.path(folder)).unwrap();
        let rest = "[image]\nrepository = \"image\"\n[[topology]]\nname = \"all\"\nreplicas = 1\n\
                    values = [\"ci/values.yaml\"]\ncases = [\"install\"]\n";
        std::fs::write(self.path(folder).join("e2e.toml"), format!("name = \"scene\"\n{chart}\n{rest}")).unwrap();
    }

    /// Runs `cargo xtask` in the folder.
    pub async fn xtask(&self, args: &[&str]) -> Output {
        self.call(env!("CARGO_BIN_EXE_chartproof"), args, None).await
    }

    /// Runs `cargo xtask` in the folder; helm trusts only what this certificate signed.
    pub async fn xtask_trusting(&self, ca: &Path, args: &[&str]) -> Output {
        self.call(env!("CARGO_BIN_EXE_chartproof"), args, Some(ca)).await
    }

    /// Runs helm or git, which have to succeed.
    pub async fn run(&self, program: &str, args: &[&str]) {
        let helm = self.helm();
        let output = self.call(if program == "helm" { &helm } else { program }, args, None).await;
        assert!(output.success(), "{program} {args:?}: {}{}", output.stdout, output.stderr);
    }

    async fn call(&self, program: &str, args: &[&str], ca: Option<&Path>) -> Output {
        let command = Launcher::light(false).cmd(program).args(args).current_dir(self.folder.path());
        let command = command.env("HELM_CONFIG_HOME", self.path("helm/config"));
        let command = command.env("HELM_CACHE_HOME", self.path("helm/cache"));
        let command = ca.into_iter().fold(command, |command, ca| command.env("SSL_CERT_FILE", ca));
        command.env("HELM_DATA_HOME", self.path("helm/data")).output().await.unwrap()
    }

    /// Commits all charts.
    pub async fn commit(&self, message: &str) {
        if !self.path(".git").exists() {
            self.run("git", &["init", "--quiet"]).await;
        }
        self.run("git", &["add", "charts"]).await;
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        self.run("git", &[&who[..], &["commit", "--quiet", "--message", message]].concat()).await;
    }
}

/// Writes a chart with a `ConfigMap`; with a dependency, if it is named.
pub fn write_chart(folder: &Path, name: &str, dependency: &str, repository: &str) {
    for part in ["templates", "ci"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    let mut described = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\nicon: https://example.com/icon.png\n");
    if !dependency.is_empty() {
        writeln!(described, "dependencies: [{{name: {dependency}, version: 1.0.0, repository: '{repository}'}}]")
            .unwrap();
    }
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made-by-{name}\ndata:\n  of: {{{{ .Values.of }}}}\n"
    );
    for (file, text) in [
        ("Chart.yaml", described.as_str()),
        ("values.yaml", "of: defaults\n"),
        ("ci/values.yaml", "of: ci\n"),
        ("templates/map.yaml", map.as_str()),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
}
