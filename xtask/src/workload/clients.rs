//! The clients around a fault. They write and read through every replica, over new and reused connections; one team
//! does so inside the cluster, through the Service.

use std::sync::Arc;

use client::team::{Task, Team};
use history::Connection as Over;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::inside::Inside;
use super::recorder::Recorder;
use kubernetes::http::Http;
use suite::Suite;

/// Running clients, until they are stopped or dropped.
pub struct Clients {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    inside: Option<Inside>,
}

/// Returns the task of a case's clients; `prefix` makes their records unique.
///
/// # Errors
/// If the suite has no `[records]`.
pub fn task(suite: &Suite, prefix: &str) -> anyhow::Result<Task> {
    Ok(Task {
        records: suite.records()?.clone(),
        prefix: prefix.to_owned(),
        pause_ms: suite.load.pause_ms,
        timeout_ms: suite.http.as_ref().map_or(0, |http| http.request_timeout_ms),
    })
}

impl Clients {
    /// Starts clients for each of these replicas; the team inside the cluster, if there is one, already runs.
    pub fn start(
        task: Task,
        each: u32,
        http: &Arc<Http>,
        recorder: &Arc<Recorder>,
        replicas: &[String],
        inside: Option<Inside>,
    ) -> Self {
        let stop = CancellationToken::new();
        let sink = recorder.clone();
        let team = Team::new(task, recorder.began(), stop.clone(), move |ended| sink.done(ended));
        let mut tasks = JoinSet::new();
        for number in 0..each {
            for replica in replicas {
                for (kind, over) in [("new", Over::New), ("kept", Over::Reused)] {
                    let (http, pod) = (http.clone(), replica.clone());
                    let connect = move || {
                        let (http, pod) = (http.clone(), pod.clone());
                        async move { http.connect(&pod).await }
                    };
                    let name = format!("{replica}-{kind}-{number}");
                    tasks.spawn(team.clone().work(name, Some(replica.clone()), over, connect));
                }
            }
        }
        Self { stop, tasks, inside }
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
