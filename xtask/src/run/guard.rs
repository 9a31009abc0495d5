//! Notices while cases run that the cluster itself goes away: Docker stopped, its node removed, its process killed.
//! No case is to blame for that, and none has to wait out its time on refused connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Run;
use cluster::Health;

/// How often the API server is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long one answer may take; a machine with every core busy needs some of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an API server may be silent where nobody else can say whether the cluster is still there.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// Watches over the cluster from its creation to the moment before its end, and ends the run where it is gone.
pub async fn watch(run: Arc<Run>) {
    tokio::select! {
        // First: a cluster that is being deleted may be gone.
        biased;
        () = run.ending.cluster_ends.cancelled() => {}
        why = until_gone(&run) => run.ending.lose(why, &run.events),
    }
}

/// Waits, after a case failed, until it is known that the cluster is there, or until the run ends because it is not: a
/// command that was refused fails sooner than this module has noticed.
pub async fn settle(run: &Run) {
    let Ok(live) = run.live() else { return };
    while run.ending.lost().is_none() && !run.ending.cancel.is_cancelled() && answers(&live.client).await.is_err() {
        if let Health::Gone(how) = run.cluster.health().await {
            return run.ending.lose(how, &run.events);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Waits until the cluster is gone; returns how that is known.
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
                    "the API server of {} has been silent for {silent_s} s: {silence}{why}",
                    run.cluster.name()
                );
            }
            Health::Runs | Health::Unknown(_) => {}
        }
    }
}

/// Whether the API server answers at all, whatever it answers.
async fn answers(client: &kube::Client) -> Result<(), String> {
    match tokio::time::timeout(ANSWER_TIMEOUT, client.apiserver_version()).await {
        Ok(Ok(_) | Err(kube::Error::Api(_))) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}
