//! Container logs: each is stored from its start, including those of containers and pods that are deleted.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::AsyncReadExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Secret};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use super::objects;
use super::watch::{State, Watch};
use events::Events;
use events::log_file::LogFile;
use redact::known;

/// A container that runs or ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    pod: String,
    uid: String,
    container: String,
    restart: i32,
    /// Whether a later one is already running.
    previous: bool,
}

/// Stores the logs of all containers in a namespace below `folder`, until it is dropped.
pub async fn keep(client: kube::Client, watch: Watch, folder: PathBuf) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), watch.namespace());
    let mut changes = watch.changes();
    let mut known = BTreeSet::new();
    let mut streams = JoinSet::new();
    loop {
        changes.borrow_and_update();
        let mut sources = sources(&watch.state());
        sources.retain(|source| known.insert((source.uid.clone(), source.container.clone(), source.restart)));
        if !sources.is_empty() {
            learn_secrets(&client, watch.namespace()).await;
            for source in sources {
                streams.spawn(kept(pods.clone(), source, folder.clone(), watch.events().clone()));
            }
        }
        while streams.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Returns the last lines of a container's log, or of its previous run if that crashed.
///
/// # Errors
/// If the API server returns an error.
pub async fn tail(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    container: &str,
    lines: i64,
) -> anyhow::Result<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = |previous| LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(lines),
        previous,
        ..LogParams::default()
    };
    let what = format!("reading the log of Pod/{pod}");
    if let Ok(log) = super::call(&what, pods.logs(pod, &params(true))).await {
        return Ok(log);
    }
    super::call(&what, pods.logs(pod, &params(false))).await
}

fn sources(state: &State) -> Vec<Source> {
    let of_pod = |pod: &Pod| {
        let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
        objects::containers(pod).flat_map(|status| of_container(&name, &uid, status)).collect::<Vec<_>>()
    };
    state.pods.values().flat_map(of_pod).collect()
}

fn of_container(pod: &str, uid: &str, status: &ContainerStatus) -> Vec<Source> {
    let source = |restart, previous| Source {
        pod: pod.to_owned(),
        uid: uid.to_owned(),
        container: status.name.clone(),
        restart,
        previous,
    };
    let state = status.state.clone().unwrap_or_default();
    let mut sources = Vec::new();
    if state.running.is_some() || state.terminated.is_some() {
        sources.push(source(status.restart_count, false));
    }
    if status.restart_count > 0 {
        sources.push(source(status.restart_count - 1, true));
    }
    sources
}

/// Stores a container's log. If the file can't be written, a note says that it is incomplete.
async fn kept(pods: Api<Pod>, source: Source, folder: PathBuf, events: Events) {
    let what = format!("storing the log of Pod/{}, container {}", source.pod, source.container);
    if let Err(error) = copy(pods, source, folder).await {
        events.note(format!("{what}: {error}"));
    }
}

async fn copy(pods: Api<Pod>, source: Source, folder: PathBuf) -> std::io::Result<()> {
    let params = LogParams {
        container: Some(source.container.clone()),
        follow: !source.previous,
        previous: source.previous,
        timestamps: true,
        ..LogParams::default()
    };
    // A pod that is already gone has no log; the failure itself is reported elsewhere.
    let Ok(mut log) = pods.log_stream(&source.pod, &params).await else { return Ok(()) };
    let short = source.uid.split('-').next().unwrap_or_default();
    let name = format!("{}.{short}.{}.{}.log", source.pod, source.container, source.restart);
    let mut file = LogFile::create(&folder, &name).await?;
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = log.read(&mut buffer).await {
        file.add(&buffer[..read]).await?;
        if file.is_full() {
            return Ok(());
        }
    }
    file.finish().await
}

/// Learns the current values of the namespace's Secrets: a container can only have values that existed before it.
pub async fn learn_secrets(client: &kube::Client, namespace: &str) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    // Without permission to list them, only values that are recognisable as secrets are hidden.
    if let Ok(found) = super::call("listing Secrets", secrets.list(&ListParams::default())).await {
        found.items.iter().for_each(learn);
    }
}

/// Learns the values of a Secret. helm's release Secrets are skipped: they contain manifests, and no container mounts
/// them.
fn learn(secret: &Secret) {
    if secret.type_.as_deref() == Some("helm.sh/release.v1") {
        return;
    }
    let values = secret.data.iter().flat_map(|data| data.values());
    values.filter_map(|value| std::str::from_utf8(&value.0).ok()).for_each(known::learn);
}
