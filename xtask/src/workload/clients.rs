//! The clients around a fault. They write and read through every replica, over new and reused connections; one team
//! does so inside the cluster, through the Service. Without records they check the application's health instead, and
//! without a health endpoint only the replicas' readiness is observed.

use std::sync::Arc;

use client::request::Request;
use client::team::{Task, Team, Traffic};
use history::Connection as Over;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::inside::Inside;
use super::readiness;
use super::recorder::Recorder;
use crate::deployed_topology::DeployedTopology;

/// Running clients, until they are stopped or dropped.
pub struct Clients {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    inside: Option<Inside>,
}

/// Returns the task of a case's clients, or `None` if the workload has no request for them; `prefix` makes their records
/// unique.
///
/// # Errors
/// If a Secret in its requests does not exist.
pub async fn task(deployed: &DeployedTopology, prefix: &str) -> anyhow::Result<Option<Task>> {
    let (Some(workload), application) = (&deployed.tested, &deployed.application) else { return Ok(None) };
    let traffic = match (workload.records(), workload.health_request()) {
        (Ok(records), _) => Traffic::Records(Box::new(records.clone())),
        (Err(_), Some(request)) => Traffic::Health(Box::new(request)),
        (Err(_), None) => return Ok(None),
    };
    let secrets = application.secrets(traffic.requests().flat_map(Request::secrets)).await;
    let secrets = secrets.map_err(anyhow::Error::msg)?;
    let (reach, pause_ms) = (application.reach().clone(), deployed.suite.load.pause_ms);
    Ok(Some(Task { traffic, prefix: prefix.to_owned(), pause_ms, reach, secrets }))
}

impl Clients {
    /// Starts clients for each of these replicas; the team inside the cluster, if there is one, already runs.
    pub fn start(
        (deployed, recorder): (&Arc<DeployedTopology>, &Arc<Recorder>),
        task: Task,
        replicas: &[String],
        inside: Option<Inside>,
    ) -> Self {
        let stop = CancellationToken::new();
        let (each, application) = (deployed.suite.load.clients_per_replica, &deployed.application);
        let sink = recorder.clone();
        let kinds = [("new", Over::New), ("kept", Over::Reused)];
        let kinds = kinds.into_iter().filter(|(_, over)| !over.is_kept() || task.traffic.uses_connections());
        let kinds: Vec<_> = kinds.collect();
        let team = Team::new(task, recorder.began(), stop.clone(), move |ended| sink.done(ended));
        let mut tasks = JoinSet::new();
        for number in 0..each {
            for replica in replicas {
                for (kind, over) in &kinds {
                    let name = format!("{replica}-{kind}-{number}");
                    tasks.spawn(team.clone().work(name, Some(replica.clone()), *over, application.pod(replica)));
                }
            }
        }
        Self { stop, tasks, inside }
    }

    /// Observes whether replicas are ready, if there is no request that clients can send.
    pub fn observe((deployed, recorder): (&Arc<DeployedTopology>, &Arc<Recorder>)) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(readiness::observe(deployed.clone(), recorder.clone(), stop.clone()));
        Self { stop, tasks, inside: None }
    }

    /// Stops every client after its current operation.
    ///
    /// # Errors
    /// If the connection to the team inside the cluster was lost, since its operations are unknown.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tasks.join_all().await;
        match self.inside {
            Some(inside) => inside.stop().await,
            None => Ok(()),
        }
    }
}
