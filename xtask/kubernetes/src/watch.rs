//! One watcher per namespace, over everything that waits and evidence need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::node_problem::NodeProblem;
use super::nodes::Nodes;
use super::pause::Pause;
pub use super::state::State;
pub use super::watched::Watched;
use events::{Events, What};

/// The watcher of one namespace. It ends when the last clone is dropped.
#[derive(Clone)]
pub struct Watch {
    shared: Arc<Shared>,
    nodes: Nodes,
    followers: Arc<Mutex<Followers>>,
}

/// The tasks that watch each kind, by plural name.
#[derive(Default)]
struct Followers {
    kinds: BTreeSet<&'static str>,
    tasks: JoinSet<()>,
}

struct Shared {
    namespace: String,
    events: Events,
    state: RwLock<Arc<State>>,
    version: watch::Sender<u64>,
}

impl Watch {
    /// Starts watching a namespace.
    pub fn start(client: &kube::Client, namespace: &str, events: Events) -> Self {
        let shared = Arc::new(Shared {
            namespace: namespace.to_owned(),
            events,
            state: RwLock::default(),
            version: watch::Sender::new(0),
        });
        let watch = Self { shared, nodes: Nodes::default(), followers: Arc::default() };
        watch.follow::<Pod>(client);
        watch.follow::<Event>(client);
        watch.follow::<StatefulSet>(client);
        watch.follow::<Deployment>(client);
        watch.follow::<ReplicaSet>(client);
        watch.follow::<PersistentVolumeClaim>(client);
        watch.follow::<Job>(client);
        watch.follow::<PodDisruptionBudget>(client);
        watch
    }

    /// Adds the state of the cluster's nodes.
    #[must_use]
    pub fn on(self, nodes: &Nodes) -> Self {
        Self { nodes: nodes.clone(), ..self }
    }

    /// Also watches a kind, from the first call on: one that not every cluster serves, or that few waits need.
    pub fn follow<K>(&self, client: &kube::Client)
    where
        K: Watched + kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if followers.kinds.insert(K::URL_PATH_SEGMENT) {
            followers.tasks.spawn(follow::<K>(client.clone(), self.shared.clone()));
        }
    }

    /// Returns a watcher with a fixed state, for tests of waits.
    #[cfg(test)]
    pub fn still(state: State) -> Self {
        let (events, _) = Events::channel();
        let shared = Shared {
            namespace: "test".to_owned(),
            events,
            state: RwLock::new(Arc::new(state)),
            version: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared), nodes: Nodes::default(), followers: Arc::default() }
    }

    /// Replaces the state, for tests of waits.
    #[cfg(test)]
    pub fn replace(&self, state: State) {
        self.shared.change(|old| *old = state);
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// Returns the stream to which changes are sent.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// Returns the last state. It holds no lock: a caller may get the next state while it still holds this one.
    pub fn state(&self) -> Arc<State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the problem of the nodes that the namespace's pods wait for.
    pub fn node_trouble(&self) -> Option<NodeProblem> {
        self.nodes.trouble(&self.state())
    }

    /// Returns a receiver that is notified of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(Arc::make_mut(&mut self.state.write().unwrap_or_else(PoisonError::into_inner)));
        self.version.send_modify(|version| *version += 1);
    }

    fn tell(&self, line: Option<(String, String)>) {
        if let Some((object, state)) = line {
            self.events.send(What::Object { namespace: self.namespace.clone(), object, state });
        }
    }
}

/// Keeps the objects of one kind up to date, even if the watch breaks or expires.
async fn follow<K>(client: kube::Client, shared: Arc<Shared>)
where
    K: Watched + kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let api: Api<K> = Api::namespaced(client, &shared.namespace);
    let mut stream = watcher(api, watcher::Config::default()).backoff(Pause::default()).boxed();
    let mut listed = BTreeMap::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => drop(listed.insert(object.name_any(), object)),
            Ok(watcher::Event::InitDone) => {
                let objects = std::mem::take(&mut listed);
                shared.change(|state| {
                    *K::store(state) = objects;
                    state.trouble = None;
                });
            }
            Ok(watcher::Event::Apply(object)) => {
                shared.tell(object.line());
                shared.change(|state| drop(K::store(state).insert(object.name_any(), object)));
            }
            Ok(watcher::Event::Delete(object)) => {
                shared.tell(object.line().map(|(object, _)| (object, "deleted".to_owned())));
                shared.change(|state| drop(K::store(state).remove(&object.name_any())));
            }
            Err(error) => {
                let trouble = format!("watching {}: {error}", K::URL_PATH_SEGMENT);
                shared.change(|state| state.trouble = Some(trouble));
            }
        }
    }
}
