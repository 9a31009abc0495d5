//! One row: a wait, the simultaneous events in the namespace, and how the wait ends.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use events::Events;
use kube::ResourceExt;
use kubernetes::objects;
use kubernetes::wait::Waiter;
use kubernetes::watch::{State, Watch};
use process::CommandError;

use super::Shared;
use super::golden;
use super::place::Place;
use super::rows::{Scene, Then};
use super::since::Since;

/// Much longer than any row takes; a wait that lasts until its deadline ends here.
pub const PATIENCE: Duration = Duration::from_secs(280);
/// How soon a wait has to end after a state has become final.
const PROMPT: Duration = Duration::from_secs(5);
/// How much too early an object's time may be: it has whole seconds.
const ROUNDED: Duration = Duration::from_secs(1);

/// Why a row failed.
pub enum Wrong {
    /// The wait ended too late.
    Late(String),
    /// Anything else.
    Other(String),
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

/// Runs a row; returns why it failed, if it did.
pub async fn run(shared: Arc<Shared>, namespace: &str, scene: &Scene, final_after: Duration) -> Result<(), Wrong> {
    let place = Place::make(&shared, namespace, scene).await;
    let watch = Watch::start(&shared.client, namespace, Events::channel().0);
    let waiter = Waiter::new(namespace.to_owned(), Events::channel().0, PATIENCE);
    let waited = {
        let happening = async {
            if let Some(deed) = &scene.first {
                place.act(deed).await;
            }
            if !scene.chart {
                place.create(&scene.objects).await;
            }
            for then in &scene.then {
                happen(&place, &watch, then).await;
            }
            // The events in the namespace do not end the wait.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            waited = wait(&place, &watch, &waiter, scene) => waited,
            () = happening => unreachable!("it never completes"),
        }
    };
    match (&scene.told, waited) {
        (None, waited) => waited.map_err(Wrong::from),
        (Some(told), Ok(())) => Err(format!("the wait succeeded instead of ending with: {told}").into()),
        (Some(told), Err(sentence)) => {
            let since = scene.since.as_ref().ok_or("a failing row needs `since`".to_owned())?;
            judge(&watch, since, final_after).await?;
            let is_golden = golden::matches(told, &sentence, namespace);
            if is_golden { Ok(()) } else { Err(format!("got:      {sentence}\nexpected: {told}").into()) }
        }
    }
}

/// Checks whether the wait ended in time, which is now.
async fn judge(watch: &Watch, since: &Since, final_after: Duration) -> Result<(), Wrong> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    // The wait may have seen the object before its event arrived.
    let told = tokio::time::timeout(PROMPT, told(watch, since)).await;
    let told = told.map_err(|_| Wrong::Other(format!("never observed on the cluster: {since:?}")))?;
    let lasted = now.saturating_sub(Duration::from_millis(told.cast_unsigned()));
    let limit = final_after + PROMPT + ROUNDED;
    let (lasted_ms, limit_ms) = (lasted.as_millis(), limit.as_millis());
    if lasted <= limit {
        return Ok(());
    }
    Err(Wrong::Late(format!("the wait ended {lasted_ms} ms after {since:?}, not within {limit_ms} ms")))
}

/// Waits for an observation; returns when it was made.
async fn told(watch: &Watch, since: &Since) -> i64 {
    let mut changes = watch.changes();
    loop {
        changes.borrow_and_update();
        if let Some(told) = since.told_ms(&watch.state()) {
            return told;
        }
        changes.changed().await.unwrap();
    }
}

async fn happen(place: &Place<'_>, watch: &Watch, then: &Then) {
    told(watch, &then.when).await;
    tokio::time::sleep(Duration::from_secs(then.after_s)).await;
    place.act(&then.deed).await;
}

/// Waits as cases do; returns the message if the wait fails.
async fn wait(place: &Place<'_>, watch: &Watch, waiter: &Waiter, scene: &Scene) -> Result<(), String> {
    if !scene.chart {
        let wanted = names(scene);
        let settled = waiter.until(watch, "all of it ready", |state| settled(state, &wanted)).await;
        return settled.map_err(|error| error.to_string());
    }
    let install = place.install(&scene.objects);
    match waiter.unless_hopeless(watch, "helm install", install.run()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(behind(waiter, watch, &error).await),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the hook behind helm's error, as a case's message begins with it.
async fn behind(waiter: &Waiter, watch: &Watch, error: &CommandError) -> String {
    waiter.failed_hook(watch).await.map_or_else(|| error.to_string(), |failed| failed.sentence)
}

fn names(scene: &Scene) -> Vec<String> {
    let deleted: Vec<_> = scene.then.iter().filter_map(|then| then.deed.delete.as_ref()).collect();
    let made = scene.then.iter().flat_map(|then| &then.deed.make);
    let stays = |object: &&serde_json::Value| {
        !deleted.iter().any(|gone| gone["metadata"]["name"] == object["metadata"]["name"])
    };
    let objects = scene.objects.iter().filter(stays).chain(made);
    let name = |object: &serde_json::Value| {
        format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    objects.map(name).collect()
}

/// Checks whether every requested object exists and works.
fn settled(state: &State, wanted: &[String]) -> Result<(), String> {
    let works = |object: &&String| {
        let (kind, name) = object.split_once('/').unwrap();
        match kind {
            "Pod" => state.pods.get(name).is_some_and(objects::is_ready),
            "StatefulSet" => {
                state.stateful_sets.contains_key(name)
                    && state.replicas(name).first().is_some_and(|pod| objects::is_ready(pod))
            }
            "Deployment" => {
                state.deployments.contains_key(name)
                    && state.pods_of_deployment(name).first().is_some_and(|pod| objects::is_ready(pod))
            }
            "Job" => state.jobs.get(name).and_then(|job| job.status.as_ref()?.succeeded) == Some(1),
            "PersistentVolumeClaim" => {
                state.claims.get(name).is_some_and(|claim| objects::claim_line(claim) == "Bound")
            }
            _ => true,
        }
    };
    let lacking: Vec<_> = wanted.iter().filter(|object| !works(object)).cloned().collect();
    let pods = state.pods.values().map(|pod| format!("{} {}", pod.name_any(), objects::pod_line(pod)));
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(format!("{}; {}", lacking.join(", "), pods.collect::<Vec<_>>().join(", ")))
    }
}
