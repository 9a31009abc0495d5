//! Only the API server, without a node or its controllers, for experiments and for tests with real clients: writes a
//! kubeconfig to the given path and serves until it is killed.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use node::api::{Identity, NodeHooks, State, serve};
use node::client::Client;
use node::controllers::{self, bootstrap};
use node::faults::PlantedFaults;
use node::kubelet;
use node::node_changes::NodeChanges;
use node::registry::Registry;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let path: PathBuf = std::env::args_os().nth(1).unwrap_or_else(|| "kubeconfig".into()).into();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let identity = Arc::new(Identity::generate()?);
    identity.write_kubeconfig(listener.local_addr()?, &path)?;
    writeln!(std::io::stdout(), "{}", path.display())?;
    let registry = Registry::new();
    let client = Client::new(registry.clone(), "kube-controller-manager");
    bootstrap::run(&client)?;
    tokio::spawn(controllers::run_of_api(client));
    let kubelet = kubelet::Handle::new(Path::new("."));
    let state = State {
        registry,
        changes: NodeChanges::new(&kubelet),
        kubelet,
        identity,
        faults: PlantedFaults::default(),
        node: NodeHooks::none(),
    };
    serve(listener, state).await
}
