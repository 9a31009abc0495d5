//! One watcher per namespace, over everything that waits and evidence look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, ReplicationController, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::nodes::{Nodes, Trouble};
use super::objects;
use events::{Events, What};

/// A namespace as it was last seen, by name of the object.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Its pods.
    pub pods: BTreeMap<String, Pod>,
    /// Its events.
    pub events: BTreeMap<String, Event>,
    /// Its stateful sets.
    pub stateful_sets: BTreeMap<String, StatefulSet>,
    /// Its deployments.
    pub deployments: BTreeMap<String, Deployment>,
    /// Its replica sets.
    pub replica_sets: BTreeMap<String, ReplicaSet>,
    /// Its claims.
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
    /// Its jobs.
    pub jobs: BTreeMap<String, Job>,
    /// Its daemon sets, where they are followed, too.
    pub daemon_sets: BTreeMap<String, DaemonSet>,
    /// Its replication controllers, where they are followed, too.
    pub replication_controllers: BTreeMap<String, ReplicationController>,
    /// Its services, where they are followed, too.
    pub services: BTreeMap<String, Service>,
    /// Its disruption budgets.
    pub budgets: BTreeMap<String, PodDisruptionBudget>,
    /// The last thing that went wrong with watching, until it works again.
    pub trouble: Option<String>,
}

impl State {
    /// The pods of a stateful set, in order of their ordinals.
    pub fn replicas(&self, stateful_set: &str) -> Vec<&Pod> {
        let mut pods = self.controlled("StatefulSet", |name| name == stateful_set);
        pods.sort_by_key(|pod| objects::ordinal(&pod.name_any()));
        pods
    }

    /// The pods of a deployment, of all its revisions, the newest last.
    pub fn pods_of_deployment(&self, deployment: &str) -> Vec<&Pod> {
        let owned = |set: &ReplicaSet| objects::controller(set, "Deployment") == Some(deployment);
        self.controlled("ReplicaSet", |name| self.replica_sets.get(name).is_some_and(owned))
    }

    /// The pods of a job, the newest last.
    pub fn pods_of_job(&self, job: &str) -> Vec<&Pod> {
        self.pods_of_controller("Job", job)
    }

    /// The pods that this object controls itself, the newest last.
    pub fn pods_of_controller(&self, kind: &str, name: &str) -> Vec<&Pod> {
        self.controlled(kind, |controller| controller == name)
    }

    /// The events about an object, `Pod/caesium-0`, the latest last.
    pub fn events_about(&self, object: &str) -> Vec<&Event> {
        let mut about: Vec<_> = self.events.values().filter(|event| objects::involved(event) == object).collect();
        // Most times have seconds only; versions grow with every change.
        let version = |event: &Event| event.resource_version().and_then(|version| version.parse::<u64>().ok());
        about.sort_by_key(|event| (objects::last_told_s(event), version(event)));
        about
    }

    /// The pods with such a controller, the newest last.
    fn controlled(&self, kind: &str, is_it: impl Fn(&str) -> bool) -> Vec<&Pod> {
        let pods = self.pods.values().filter(|pod| objects::controller(*pod, kind).is_some_and(&is_it));
        let mut pods: Vec<_> = pods.collect();
        pods.sort_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
        pods
    }
}

/// The watcher of one namespace. It ends when the last clone is dropped.
#[derive(Clone)]
pub struct Watch {
    shared: Arc<Shared>,
    nodes: Nodes,
    followers: Arc<Mutex<Followers>>,
}

/// What follows each kind, by the kinds' plural names.
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

/// A kind that can be watched: where its objects go, and the line that says how one is.
pub trait Watched:
    Resource<Scope = NamespaceResourceScope> + Metadata<Ty = kube::core::ObjectMeta> + Clone + Debug
where
    Self: DeserializeOwned + Send + 'static,
{
    /// Where a state has its objects.
    fn store(state: &mut State) -> &mut BTreeMap<String, Self>;
    /// The object, and how it is; none where it is not worth telling.
    fn line(&self) -> Option<(String, String)>;
}

impl Watch {
    /// Starts to watch a namespace.
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

    /// The same, with what is seen of the cluster's nodes.
    #[must_use]
    pub fn on(self, nodes: &Nodes) -> Self {
        Self { nodes: nodes.clone(), ..self }
    }

    /// Follows a kind, too, from the first call on: one that not every cluster serves, or that few waits look at.
    pub fn follow<K>(&self, client: &kube::Client)
    where
        K: Watched + kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if followers.kinds.insert(K::URL_PATH_SEGMENT) {
            followers.tasks.spawn(follow::<K>(client.clone(), self.shared.clone()));
        }
    }

    /// A watcher that sees only what it is given: for tests of waits.
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

    /// Shows another state: for tests of waits.
    #[cfg(test)]
    pub fn replace(&self, state: State) {
        self.shared.change(|old| *old = state);
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// Where what is seen is told.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// What was last seen. It holds no lock: whoever looks at one state may look at the next before it lets go of this.
    pub fn state(&self) -> Arc<State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is wrong with the nodes that the namespace's pods wait for.
    pub fn node_trouble(&self) -> Option<Trouble> {
        self.nodes.trouble(&self.state())
    }

    /// Wakes its holder at every change.
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

/// The pause before a watch that broke is begun again: doubled each time, within what a wait can afford
/// (kube's own goes up to 30 s).
pub(super) struct Pause(Duration);

impl Pause {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);
}

impl Default for Pause {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = Self::LONGEST.min(self.0 * 2);
        Some(pause)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Keeps the objects of one kind up to date, also after the watch broke or expired.
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

impl Watched for Pod {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.pods
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("Pod/{}", self.name_any()), objects::pod_line(self)))
    }
}

impl Watched for Event {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.events
    }

    fn line(&self) -> Option<(String, String)> {
        Some((objects::involved(self), objects::event_line(self)))
    }
}

impl Watched for StatefulSet {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.stateful_sets
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("StatefulSet/{}", self.name_any()), objects::stateful_set_line(self)))
    }
}

impl Watched for Deployment {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.deployments
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("Deployment/{}", self.name_any()), objects::deployment_line(self)))
    }
}

impl Watched for ReplicaSet {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.replica_sets
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("ReplicaSet/{}", self.name_any()), objects::replica_set_line(self)))
    }
}

impl Watched for PersistentVolumeClaim {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.claims
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("PersistentVolumeClaim/{}", self.name_any()), objects::claim_line(self)))
    }
}

impl Watched for Job {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.jobs
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("Job/{}", self.name_any()), objects::job_line(self)))
    }
}

impl Watched for PodDisruptionBudget {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.budgets
    }

    fn line(&self) -> Option<(String, String)> {
        None
    }
}

impl Watched for DaemonSet {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.daemon_sets
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("DaemonSet/{}", self.name_any()), objects::daemon_set_line(self)))
    }
}

impl Watched for ReplicationController {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.replication_controllers
    }

    fn line(&self) -> Option<(String, String)> {
        None
    }
}

impl Watched for Service {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.services
    }

    fn line(&self) -> Option<(String, String)> {
        None
    }
}
