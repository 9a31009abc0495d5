//! Watches the cluster while cases run, and ends the run if the cluster is gone: Docker stopped, its node was removed,
//! its process was killed. So no case fails because of that, or waits for its time limit on refused connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Run;
use cluster::Health;

/// The interval between two requests to the API server.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// The time limit for a response, with some margin for a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an API server may not respond if there is no other way to check whether the cluster still exists.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// Watches the cluster from its creation until just before its deletion, and ends the run if it is gone.
pub async fn watch(run: Arc<Run>) {
    tokio::select! {
        // First, since a cluster that is being deleted may be gone.
        biased;
        () = run.ending.cluster_ends.cancelled() => {}
        why = until_gone(&run) => run.ending.lose(why, &run.events),
    }
}

/// Waits after a failed case until it is known whether the cluster still exists, and ends the run if it does not. A
/// refused command fails before the watch notices.
pub async fn settle(run: &Run) {
    let Ok(live) = run.live() else { return };
    while run.ending.lost().is_none() && !run.ending.cancel.is_cancelled() && answers(&live.client).await.is_err() {
        if let Health::Gone(how) = run.cluster.health().await {
            return run.ending.lose(how, &run.events);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Waits until the cluster is gone; returns what shows it.
async fn until_gone(run: &Run) -> String {
    let mut silent_since = None;
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let Ok(live) = run.live() else { continue };
        let Err(silence) = answers(&live.client).await else {
            silent_since = None;
            continue;
        };
        let since = *silent_since.get_or_insert_with(Instant::now);
        match run.cluster.health().await {
            Health::Gone(how) => return how,
            Health::Unknown(why) if since.elapsed() >= SILENT_MAX => {
                let silent_s = since.elapsed().as_secs();
                return format!(
                    "the API server of {} has not responded for {silent_s} s: {silence}{why}",
                    run.cluster.name()
                );
            }
            Health::Runs | Health::Unknown(_) => {}
        }
    }
}

/// Succeeds if the API server responds at all, even with an error.
async fn answers(client: &kube::Client) -> Result<(), String> {
    match tokio::time::timeout(ANSWER_TIMEOUT, client.apiserver_version()).await {
        Ok(Ok(_) | Err(kube::Error::Api(_))) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no response within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}
