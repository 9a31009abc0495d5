//! Real clients against only the embedded cluster's API server: helm 3, helm 4, kubectl, kube-rs. There is no node, so
//! nothing runs and nothing has to be waited for.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod custom_resources;
mod helm;
mod kube_rs;
mod kubectl;
#[path = "../../xtask/embedded/node/tests/support/mod.rs"]
mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use process::{Launcher, Output};
use support::Api;
use tempfile::TempDir;
use tools::{self, Name};

/// A client's binary with its own kubeconfig and home.
struct Client {
    tool: PathBuf,
    home: TempDir,
    kubeconfig: PathBuf,
}

impl Client {
    /// Returns the pinned version of a tool.
    async fn of(api: &Api, name: Name, version: Option<&str>) -> Self {
        let launcher = Launcher::light(false);
        let tool = match version {
            Some(version) => tools::resolve_version(&launcher, name, version.parse().unwrap()).await,
            None => tools::resolve(&launcher, name).await,
        };
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = api.kubeconfig(home.path());
        Self { tool: tool.unwrap_or_else(|missing| panic!("{missing}")).path, home, kubeconfig }
    }

    /// Returns the output of one call.
    async fn call<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &str) -> Output {
        let command = Launcher::light(false).cmd(&self.tool).args(args).stdin(input);
        let command = command.env("HOME", self.home.path()).env("KUBECONFIG", &self.kubeconfig);
        command.output().await.unwrap()
    }

    /// Returns the standard output of a call that has to succeed.
    async fn run(&self, line: &str) -> String {
        self.feed(line, "").await
    }

    /// As [`Client::run`], with an input.
    async fn feed(&self, line: &str, input: &str) -> String {
        let output = self.call(line.split_whitespace(), input).await;
        assert!(output.success(), "{line}: {}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// Returns the standard error of a call that has to fail.
    async fn fail(&self, line: &str, input: &str) -> String {
        let output = self.call(line.split_whitespace(), input).await;
        assert!(!output.success(), "{line}: {}", output.stdout);
        output.stderr
    }
}

/// Returns the chart of these tests.
fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api_clients/chart").display().to_string()
}
