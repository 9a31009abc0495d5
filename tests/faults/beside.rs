//! The environment of a run: fakes of kind and docker, or an existing cluster.

use std::path::Path;
use std::process::Command;

use embedded::cluster::{Cluster, Faults, Options};

use crate::doubles::{Doubles, Rule, common, rule};
use crate::matrix::Row;
use crate::node_program::node_program;

/// The environment of a run, until it is dropped.
pub struct Beside {
    cluster: Option<Cluster>,
    is_kind: bool,
    _runtime: tokio::runtime::Runtime,
}

impl Beside {
    /// Puts the fakes in the row's folder and starts the cluster behind them, or the existing one.
    pub fn plays(row: &Row, folder: &Path) -> Self {
        let is_kind = !row.kind.is_empty();
        if is_kind {
            doubles(row, folder);
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let text = serde_json::to_string(&row.kind).unwrap();
        let cluster = (row.existing || text.contains("$BASE/embedded")).then(|| {
            let program = runtime.block_on(node_program());
            let options = Options { dir: folder.join("embedded"), program, faults: Faults::default() };
            runtime.block_on(Cluster::start(options)).unwrap()
        });
        Self { cluster, is_kind, _runtime: runtime }
    }

    /// Sets leases of the row's own, and puts the fakes first on the path or selects the cluster by its context.
    pub fn prepare(&self, command: &mut Command, folder: &Path) {
        command.args(["--image", if self.is_kind { "caesiumcloud/caesium:dev" } else { "chartproof/stand-in:dev" }]);
        command.env("XDG_STATE_HOME", folder.join("state")).env_remove("CI");
        if self.is_kind {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", folder.join("bin").display()));
        } else if let Some(cluster) = &self.cluster {
            command.args(["--allow-context", "chartproof"]).env("KUBECONFIG", cluster.kubeconfig());
        }
    }
}

/// Creates the fakes of a row on kind: the row's rules come before those of a run without faults.
fn doubles(row: &Row, folder: &Path) {
    let of_row = row.kind.iter().map(|said| Rule::from(serde_json::to_value(said).unwrap()));
    let images = ["docker-image-inspect", "inspect-curl", "inspect-caesium", "kind-export-run-logs"].map(rule);
    let rules: Vec<_> = of_row.chain(images).chain(common()).collect();
    Doubles::new(folder, &folder.join("report"), &rules);
}
