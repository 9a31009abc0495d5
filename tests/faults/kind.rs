//! Rows on kind: the tools are doubles, and where a rule says so the cluster is an embedded one.

use std::path::{Path, PathBuf};
use std::process::Command;

use embedded::cluster::{Cluster, Faults, Options};

use crate::doubles::{Doubles, Rule, common, rule};
use crate::matrix::Row;

/// What goes on beside a run on kind, until it is dropped.
pub struct Kind {
    _cluster: Option<Cluster>,
    _runtime: tokio::runtime::Runtime,
}

impl Kind {
    /// Puts the doubles in the row's folder and starts what they stand for.
    pub fn plays(row: &Row, folder: &Path) -> Self {
        let of_row = row.kind.iter().map(|said| Rule::from(serde_json::to_value(said).unwrap()));
        let images = ["docker-image-inspect", "inspect-curl", "inspect-caesium", "kind-export-run-logs"].map(rule);
        let rules: Vec<_> = of_row.chain(images).chain(common()).collect();
        Doubles::new(folder, &folder.join("report"), &rules);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let text = serde_json::to_string(&row.kind).unwrap();
        let cluster = text.contains("$BASE/embedded").then(|| {
            let (dir, exe) = (folder.join("embedded"), PathBuf::from(env!("CARGO_BIN_EXE_xtask")));
            runtime.block_on(Cluster::start(Options { dir, exe, faults: Faults::default() })).unwrap()
        });
        Self { _cluster: cluster, _runtime: runtime }
    }
}

/// The doubles first on the path, an image that Docker has, leases of the row's own.
pub fn prepare(command: &mut Command, folder: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(["--image", "caesiumcloud/caesium:dev"]);
    command.env("PATH", format!("{}:{path}", folder.join("bin").display()));
    command.env("XDG_STATE_HOME", folder.join("state")).env_remove("CI");
}
