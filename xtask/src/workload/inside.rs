//! The team inside the cluster: a pod that writes and reads through the Service, as any other client there does.
//!
//! Its times are those of its own clock. The harness asks for that clock a few times; the answer was given between the
//! question and its arrival, which bounds how far the two clocks are apart. An operation is recorded as long as it can
//! have been: from the earliest possible start to the latest possible end. No order is claimed that was not there.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use client::inside::{self, ClientRequest, ClientResponse, PORT};
use client::records::Request;
use client::team::{CompletedOperation, Task};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Portforwarder};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::recorder::Recorder;
use crate::deployed_topology::DeployedTopology;
use images::Reference;
use kubernetes::wait::Waiter;
use kubernetes::watch::State;
use kubernetes::{call, code, given};

/// The pod's name.
pub const POD: &str = "chartproof-client";
/// How often the clock is asked for: the best pair of bounds counts.
const QUESTIONS: u32 = 10;
/// After which a single request from inside is given up.
const ASK_TIMEOUT_MS: u64 = 10_000;

/// A team at work in the cluster. Dropping it ends it, and nothing more is recorded.
pub struct Inside {
    stop: CancellationToken,
    task: AbortOnDropHandle<anyhow::Result<()>>,
}

/// The same pod, asked one thing after another.
pub struct Asker {
    line: Line,
}

impl Asker {
    /// Makes the pod where it is not there yet, and connects to it.
    ///
    /// # Errors
    /// Where the pod can't be made or does not answer in the case's time.
    pub async fn open((deployed, wait): (&DeployedTopology, &Waiter), image: &Reference) -> anyhow::Result<Self> {
        create(deployed, wait, image).await?;
        let what = format!("Pod/{POD}, the client in the cluster");
        let line = wait.ask_until(&deployed.watch, &what, async || Line::open(deployed).await?.greeted().await).await?;
        Ok(Self { line })
    }

    /// Connects to `host:port` from inside the cluster, and makes a request there; answers its body.
    ///
    /// # Errors
    /// Where the pod is lost. That there is no answer is no error of this, but its result.
    pub async fn ask(&mut self, to: &str, request: Option<&Request>) -> anyhow::Result<Result<String, String>> {
        let said = ClientRequest::Ask { to: to.to_owned(), request: request.cloned(), timeout_ms: ASK_TIMEOUT_MS };
        inside::tell(&mut self.line.write, &said).await?;
        match inside::next(&mut self.line.read).await? {
            Some(ClientResponse::Answered(answered)) => Ok(answered),
            Some(_) => bail!("Pod/{POD} says what nobody asked for"),
            None => bail!("the connection to Pod/{POD} was lost"),
        }
    }
}

/// How much the harness's clock is ahead of the team's, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ahead {
    least: i128,
    most: i128,
}

/// A connection to the pod.
struct Line {
    read: Lines<BufReader<ReadHalf<DuplexStream>>>,
    write: WriteHalf<DuplexStream>,
    // Dropping it ends the port-forward.
    _forwarder: Portforwarder,
}

impl Inside {
    /// Makes the pod where it is not there yet, and lets its team write and read `through` the Service.
    ///
    /// # Errors
    /// Where the pod can't be made or does not answer in the case's time.
    pub async fn start(
        (deployed, wait): (&DeployedTopology, &Waiter),
        recorder: &Arc<Recorder>,
        image: &Reference,
        task: Task,
        through: String,
    ) -> anyhow::Result<Self> {
        create(deployed, wait, image).await?;
        let ask = async || {
            let mut line = Line::open(deployed).await?;
            let ahead = line.compare_clocks(recorder).await?;
            Ok((line, ahead))
        };
        let what = format!("Pod/{POD}, the client in the cluster");
        let (mut line, ahead) = wait.ask_until(&deployed.watch, &what, ask).await?;
        inside::tell(&mut line.write, &ClientRequest::Begin { task: Box::new(task), through }).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(line.follow(recorder.clone(), ahead, stop.clone()));
        Ok(Self { stop, task: AbortOnDropHandle::new(task) })
    }

    /// Lets the team finish what is under way.
    ///
    /// # Errors
    /// Where it was lost: nobody knows what it did.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?.with_context(|| format!("Pod/{POD}: what its clients did is not known"))
    }
}

/// Takes the pod away again.
///
/// # Errors
/// What the API server answers.
pub async fn remove(deployed: &DeployedTopology) -> anyhow::Result<()> {
    match call(&format!("deleting Pod/{POD}"), deployed.pods().delete(POD, &DeleteParams::default().grace_period(0)))
        .await
    {
        Err(error) if code(&error) != Some(404) => Err(error),
        _ => Ok(()),
    }
}

/// Makes the pod on another node than this one, which is going to stop; one that is there already is made anew.
///
/// # Errors
/// Where it can't be deleted or made.
pub async fn keep_off(
    (deployed, wait): (&DeployedTopology, &Waiter),
    image: &Reference,
    node: &str,
) -> anyhow::Result<()> {
    remove(deployed).await?;
    let gone = |state: &State| if state.pods.contains_key(POD) { Err("it is there".to_owned()) } else { Ok(()) };
    wait.until(&deployed.watch, &format!("Pod/{POD}, the client in the cluster, is gone"), gone).await?;
    create_as((deployed, wait), &off(pod(image)?, node)?).await
}

/// The pod, kept off a node. A control plane has to do where the other workers are few.
fn off(mut pod: Pod, node: &str) -> serde_json::Result<Pod> {
    let elsewhere = json!({ "key": "metadata.name", "operator": "NotIn", "values": [node] });
    let required = json!({ "nodeSelectorTerms": [{ "matchFields": [elsewhere] }] });
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } });
    let toleration =
        json!({ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" });
    if let Some(spec) = &mut pod.spec {
        spec.affinity = serde_json::from_value(affinity)?;
        spec.tolerations = Some(vec![serde_json::from_value(toleration)?]);
    }
    Ok(pod)
}

async fn create(deployed: &DeployedTopology, wait: &Waiter, image: &Reference) -> anyhow::Result<()> {
    create_as((deployed, wait), &pod(image)?).await
}

async fn create_as((deployed, wait): (&DeployedTopology, &Waiter), pod: &Pod) -> anyhow::Result<()> {
    match given::create_pod((wait, &deployed.watch), &deployed.pods(), pod).await {
        Err(error) if code(&error) != Some(409) => Err(error),
        _ => Ok(()),
    }
}

/// A pod that the restricted Pod Security Standard allows, and that no Service of the chart selects.
fn pod(image: &Reference) -> serde_json::Result<Pod> {
    serde_json::from_value(json!({
        "metadata": { "name": POD, "labels": {
            "app.kubernetes.io/name": POD,
            "app.kubernetes.io/managed-by": "chartproof",
        } },
        "spec": {
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "client",
                "image": image.to_string(),
                "imagePullPolicy": "IfNotPresent",
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                    "readOnlyRootFilesystem": true,
                },
            }],
        },
    }))
}

impl Line {
    async fn open(deployed: &DeployedTopology) -> Result<Self, String> {
        let mut forwarder = deployed.pods().portforward(POD, &[PORT]).await.map_err(|error| error.to_string())?;
        let stream = forwarder.take_stream(PORT).ok_or("the port-forward has no stream")?;
        let (read, write) = tokio::io::split(stream);
        Ok(Self { read: BufReader::new(read).lines(), write, _forwarder: forwarder })
    }

    /// Whether the other end is the program, and takes questions.
    async fn greeted(mut self) -> Result<Self, String> {
        inside::tell(&mut self.write, &ClientRequest::Clock).await.map_err(|error| format!("{error:#}"))?;
        match inside::next(&mut self.read).await {
            Ok(Some(ClientResponse::Clock(_))) => Ok(self),
            Ok(_) => Err(format!("port {PORT} does not answer")),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// Asks for the team's time, and compares.
    async fn compare_clocks(&mut self, recorder: &Recorder) -> Result<Ahead, String> {
        let mut ahead = Ahead { least: i128::MIN, most: i128::MAX };
        for _ in 0..QUESTIONS {
            let asked_ns = recorder.now_ns();
            inside::tell(&mut self.write, &ClientRequest::Clock).await.map_err(|error| format!("{error:#}"))?;
            let told = inside::next(&mut self.read).await.map_err(|error| format!("{error:#}"))?;
            let Some(ClientResponse::Clock(theirs_ns)) = told else {
                return Err(format!("port {PORT} does not answer"));
            };
            ahead = ahead.and(asked_ns, theirs_ns, recorder.now_ns());
        }
        tracing::debug!(error_ns = ahead.most - ahead.least, "clock of Pod/{POD} compared");
        Ok(ahead)
    }

    /// Records what the team tells until it has ended.
    async fn follow(mut self, recorder: Arc<Recorder>, ahead: Ahead, stop: CancellationToken) -> anyhow::Result<()> {
        let mut asked_to_stop = false;
        loop {
            let told = tokio::select! {
                told = inside::next(&mut self.read) => told?,
                () = stop.cancelled(), if !asked_to_stop => {
                    asked_to_stop = true;
                    inside::tell(&mut self.write, &ClientRequest::Stop).await?;
                    continue;
                }
            };
            match told {
                Some(ClientResponse::CompletedOperation(done)) => recorder.done(ahead.place(*done, recorder.now_ns())),
                Some(ClientResponse::Ended) if asked_to_stop => return Ok(()),
                Some(ClientResponse::Clock(_) | ClientResponse::Answered(_) | ClientResponse::Ended) => {
                    bail!("it says what nobody asked for")
                }
                None => return Err(anyhow!("the connection to it was lost")),
            }
        }
    }
}

impl Ahead {
    /// These bounds and those of a question: it was `theirs_ns` there between `asked_ns` and `told_ns` here.
    fn and(self, asked_ns: u64, theirs_ns: u64, told_ns: u64) -> Self {
        let theirs = i128::from(theirs_ns);
        Self { least: self.least.max(i128::from(asked_ns) - theirs), most: self.most.min(i128::from(told_ns) - theirs) }
    }

    /// The operation in the harness's time, as long as it can have been; it was known here at `now_ns`.
    fn place(self, mut done: CompletedOperation, now_ns: u64) -> CompletedOperation {
        let here = |ns: u64, ahead: i128| u64::try_from(i128::from(ns) + ahead).unwrap_or(0);
        let operation = &mut done.operation;
        operation.start_ns = here(operation.start_ns, self.least);
        operation.end_ns = here(operation.end_ns, self.most).min(now_ns).max(operation.start_ns);
        done
    }
}

#[cfg(test)]
#[path = "inside_tests.rs"]
mod tests;
