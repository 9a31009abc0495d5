//! The node's process: API server, controllers, kubelet, DNS and proxy in namespaces of their own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use embedded::cluster::{NodeOptions, Ready};
use runtime::{NodeNetwork, Runtime};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::acting_faults::{self, Unready};
use crate::addresses::{self, GATEWAY};
use crate::api::{self, Identity, NodeHooks};
use crate::client::Client;
use crate::controllers;
use crate::faults::PlantedFaults;
use crate::kubelet::{self, Handle, Kubelet};
use crate::network::{dns, proxy};
use crate::node_changes::NodeChanges;
use crate::registry::Registry;

/// Runs the node until it is asked to stop.
///
/// It stays single-threaded until it has its namespaces: a process with threads can't enter them.
pub fn main(directory: &Path) -> ExitCode {
    let filter = EnvFilter::try_from_env("CHARTPROOF_NODE_LOG").unwrap_or_else(|_| EnvFilter::new("info,hyper=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match run(directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(directory: &Path) -> anyhow::Result<()> {
    let options = read_options(directory)?;
    // Bound in the host's network, and kept when the process leaves it: this is the only way in.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on 127.0.0.1")?;
    runtime::enter_node_namespaces()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ran = tokio.block_on(serve(directory, options, listener));
    // Containers and their helpers end with this process, so there is nothing to wait for.
    tokio.shutdown_background();
    ran
}

fn read_options(directory: &Path) -> anyhow::Result<NodeOptions> {
    let path = directory.join("options.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// Runs everything, until SIGTERM or until a part of it fails.
async fn serve(directory: &Path, options: NodeOptions, listener: TcpListener) -> anyhow::Result<()> {
    // Containers' programs in their volumes may run as another user: no other user of the host may get at them.
    for name in ["pods", "volumes"] {
        let path = directory.join(name);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("cannot create {}", path.display()))?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let address = listener.local_addr()?;
    let registry = Registry::new();
    let client = Client::new(Arc::clone(&registry), controllers::MANAGER);
    let faults = PlantedFaults::with_environment(options.faults)?;
    let runtime = Runtime::start(directory, NodeNetwork { gateway: GATEWAY, prefix: 16 }).await?;
    runtime.serve_addresses(addresses::SERVICES.0, addresses::SERVICES.1).await?;
    let identity = Arc::new(Identity::generate()?);
    let handle = Handle::new(directory);
    let state = api::State {
        registry,
        kubelet: handle.clone(),
        identity: Arc::clone(&identity),
        faults: faults.clone(),
        changes: NodeChanges::new(&handle),
        node: hooks(&runtime),
    };
    controllers::bootstrap::run(&client)?;
    kubelet::register_node(&client, GATEWAY)?;
    let unready = Unready::plant(&client, &faults)?;
    let of_pods = kubelet::Addresses { host: GATEWAY, name_server: addresses::DNS_IP };
    let kubelet = Kubelet::new(&client, runtime, handle, faults.clone(), directory, of_pods);
    let controllers = Arc::new(controllers::ControllerContext {
        client: client.clone(),
        faults: faults.clone(),
        volumes: directory.join("volumes"),
        root_certificate: identity.ca_pem().to_owned(),
    });
    let for_pods = TcpListener::bind((GATEWAY, addresses::API_PORT)).context("cannot serve the API to pods")?;
    let api = tokio::spawn(api::serve(listener, state.clone()));
    let api_for_pods = tokio::spawn(api::serve(for_pods, state));
    announce(directory, &identity, address)?;
    tokio::spawn(acting_faults::run(Arc::clone(&controllers), unready));
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        ended = api => ended?.context("the API server"),
        ended = api_for_pods => ended?.context("the API server for pods"),
        () = controllers::run_all(controllers) => anyhow::bail!("the controllers ended"),
        () = kubelet.run() => anyhow::bail!("the kubelet ended"),
        ended = dns::run(client.clone(), faults.clone(), &[GATEWAY, addresses::DNS_IP]) => ended.context("the name server"),
        () = proxy::run(client, faults.clone()) => anyhow::bail!("the service proxy ended"),
    }
}

/// Writes the kubeconfig and notifies the starter that the API responds.
fn announce(directory: &Path, identity: &Identity, address: SocketAddr) -> anyhow::Result<()> {
    use std::io::Write;
    let kubeconfig = directory.join("kubeconfig");
    identity.write_kubeconfig(address, &kubeconfig)?;
    let (token, ca) = (identity.token().to_owned(), identity.ca_pem().to_owned());
    let line = serde_json::to_string(&Ready { kubeconfig, address, token, ca })?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// Returns the node's functions behind the harness's own endpoints.
fn hooks(runtime: &Runtime) -> NodeHooks {
    let (loader, reporter) = (runtime.clone(), runtime.clone());
    NodeHooks {
        load_images: Arc::new(move |archive| {
            let runtime = loader.clone();
            Box::pin(async move { runtime.load_archive(&archive).await.map_err(|error| error.to_string()) })
        }),
        report: Arc::new(move || {
            let host_images = reporter.images().into_iter().filter(|i| i.from_host).map(|i| i.reference);
            json!({ "hostImages": host_images.collect::<Vec<_>>(), "notEnforced": reporter.limits() })
        }),
    }
}
