//! The team inside the cluster: a pod that writes and reads through the Service, like any other client there.
//!
//! It has its own clock. The harness asks for its time several times; each response was sent between the request and
//! its arrival, which bounds the offset between the two clocks. An operation is recorded from its earliest possible
//! start to its latest possible end, so the record never claims an order that did not exist.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use client::inside::{self, ClientRequest, ClientResponse, PORT, Question};
use client::read_back::ReadBack;
use client::request::Request;
use client::team::{CompletedOperation, Task};
use history::Operation;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Portforwarder};
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::client_pod::{self, POD, off, pod};
use super::recorder::Recorder;
use crate::deployed_topology::DeployedTopology;
use images::Reference;
use kubernetes::ask::PodClient;
use kubernetes::wait::Waiter;
use kubernetes::watch::State;
use kubernetes::{call, code, given};

/// How often the clock is queried; the tightest bounds count.
const QUESTIONS: u32 = 10;
/// The same for reading back, which takes place long after the writes.
const QUESTIONS_TO_READ_BACK: u32 = 2;
/// The time limit of a single request from inside the cluster.
const ASK_TIMEOUT_MS: u64 = 10_000;

/// A running team in the cluster. When it is dropped, recording stops.
pub struct Inside {
    stop: CancellationToken,
    task: AbortOnDropHandle<anyhow::Result<()>>,
}

/// The same pod, for single requests in sequence.
pub struct Asker {
    line: Line,
    application: Arc<PodClient>,
}

impl Asker {
    /// Creates the pod if it does not exist, and connects to it.
    ///
    /// # Errors
    /// If the pod can't be created or does not respond within the case's time limit.
    pub async fn open((deployed, wait): (&DeployedTopology, &Waiter), image: &Reference) -> anyhow::Result<Self> {
        create(deployed, wait, image).await?;
        let what = format!("Pod/{}, the client in the cluster", client_pod::name(deployed));
        let line = wait.ask_until(&deployed.watch, &what, async || Line::open(deployed).await?.greeted().await).await?;
        Ok(Self { line, application: deployed.application.clone() })
    }

    /// Sends a request to `host:port` from inside the cluster. Returns the output of a success, or why there is none.
    ///
    /// # Errors
    /// If the connection to the pod is lost.
    pub async fn ask(&mut self, to: &str, request: &Request) -> anyhow::Result<Result<String, String>> {
        let secrets = match self.application.secrets(request.secrets()).await {
            Ok(secrets) => secrets,
            Err(why) => return Ok(Err(why)),
        };
        let (host, port) = to.rsplit_once(':').context("an address is `host:port`")?;
        let reach = self.application.reach().through(port.parse().context("a port is a number")?);
        let (host, request) = (host.to_owned(), request.clone());
        let question = Question { host, request, reach, secrets, timeout_ms: ASK_TIMEOUT_MS };
        self.answered(&ClientRequest::Ask(Box::new(question))).await
    }

    /// Connects to `host:port` from inside the cluster. Returns why that failed, if it did.
    ///
    /// # Errors
    /// If the connection to the pod is lost.
    pub async fn connect(&mut self, to: &str) -> anyhow::Result<Result<String, String>> {
        self.answered(&ClientRequest::Connect { to: to.to_owned(), timeout_ms: ASK_TIMEOUT_MS }).await
    }

    async fn answered(&mut self, request: &ClientRequest) -> anyhow::Result<Result<String, String>> {
        inside::tell(&mut self.line.write, request).await?;
        match inside::next(&mut self.line.read).await? {
            Some(ClientResponse::Answered(answered)) => Ok(answered),
            Some(_) => bail!("unexpected message from Pod/{POD}"),
            None => bail!("the connection to Pod/{POD} was lost"),
        }
    }
}

/// Bounds for how far the harness's clock is ahead of the team's, in nanoseconds.
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
    /// Creates the pod if it does not exist, and starts its team, which writes and reads `through` the Service.
    ///
    /// # Errors
    /// If the pod can't be created or does not respond within the case's time limit.
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
            let ahead = line.compare_clocks(recorder, QUESTIONS).await?;
            Ok((line, ahead))
        };
        let what = format!("Pod/{}, the client in the cluster", client_pod::name(deployed));
        let (mut line, ahead) = wait.ask_until(&deployed.watch, &what, ask).await?;
        inside::tell(&mut line.write, &ClientRequest::Begin { task: Box::new(task), through }).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(line.follow(recorder.clone(), ahead, stop.clone()));
        Ok(Self { stop, task: AbortOnDropHandle::new(task) })
    }

    /// Stops the team after its current operations.
    ///
    /// # Errors
    /// If the connection to it was lost, since its operations are unknown.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?.with_context(|| format!("Pod/{POD}: the operations of its clients are unknown"))
    }
}

/// Reads records through each replica from inside the cluster, where the pod already runs. Returns the reads that
/// succeeded: a replica may not be reachable from there.
///
/// # Errors
/// If the pod does not respond.
pub async fn read_back(
    deployed: &DeployedTopology,
    recorder: &Recorder,
    what: ReadBack,
) -> Result<Vec<Operation>, String> {
    let mut line = Line::open(deployed).await?;
    let ahead = line.compare_clocks(recorder, QUESTIONS_TO_READ_BACK).await?;
    let told = inside::tell(&mut line.write, &ClientRequest::ReadBack(Box::new(what))).await;
    told.map_err(|error| format!("{error:#}"))?;
    let mut reads = Vec::new();
    while let Ok(Some(ClientResponse::CompletedOperation(done))) = inside::next(&mut line.read).await {
        reads.push(ahead.place(*done, recorder.now_ns()).operation);
    }
    Ok(reads)
}

/// Deletes the pods of all workloads.
///
/// # Errors
/// If the API server refuses.
pub async fn remove_all(deployed: &DeployedTopology) -> anyhow::Result<()> {
    let (at_once, label) = (DeleteParams::default().grace_period(0), format!("app.kubernetes.io/name={POD}"));
    let (pods, ours) = (deployed.pods(), ListParams::default().labels(&label));
    call(&format!("deleting the pods with {label}"), pods.delete_collection(&at_once, &ours)).await.map(drop)
}

/// Creates the pod on a node other than this one, which is about to stop; an existing pod is replaced.
///
/// # Errors
/// If it can't be deleted or created.
pub async fn keep_off(
    (deployed, wait): (&DeployedTopology, &Waiter),
    image: &Reference,
    node: &str,
) -> anyhow::Result<()> {
    let name = client_pod::name(deployed);
    let at_once = DeleteParams::default().grace_period(0);
    match call(&format!("deleting Pod/{name}"), deployed.pods().delete(&name, &at_once)).await {
        Err(error) if code(&error) != Some(404) => return Err(error),
        _ => {}
    }
    let gone = |state: &State| if state.pods.contains_key(&name) { Err("it still exists".to_owned()) } else { Ok(()) };
    wait.until(&deployed.watch, &format!("Pod/{name}, the client in the cluster, is gone"), gone).await?;
    create_as((deployed, wait), &off(pod(deployed, image)?, node)?).await
}

async fn create(deployed: &DeployedTopology, wait: &Waiter, image: &Reference) -> anyhow::Result<()> {
    create_as((deployed, wait), &pod(deployed, image)?).await
}

async fn create_as((deployed, wait): (&DeployedTopology, &Waiter), pod: &Pod) -> anyhow::Result<()> {
    match given::create_pod((wait, &deployed.watch), &deployed.pods(), pod).await {
        Err(error) if code(&error) != Some(409) => Err(error),
        _ => Ok(()),
    }
}

impl Line {
    async fn open(deployed: &DeployedTopology) -> Result<Self, String> {
        let mut forwarder = deployed
            .pods()
            .portforward(&client_pod::name(deployed), &[PORT])
            .await
            .map_err(|error| error.to_string())?;
        let stream = forwarder.take_stream(PORT).ok_or("the port-forward has no stream")?;
        let (read, write) = tokio::io::split(stream);
        Ok(Self { read: BufReader::new(read).lines(), write, _forwarder: forwarder })
    }

    /// Checks that the client program responds.
    async fn greeted(mut self) -> Result<Self, String> {
        inside::tell(&mut self.write, &ClientRequest::Clock).await.map_err(|error| format!("{error:#}"))?;
        match inside::next(&mut self.read).await {
            Ok(Some(ClientResponse::Clock(_))) => Ok(self),
            Ok(_) => Err(format!("port {PORT} does not respond")),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// Asks for the team's time several times, and returns the bounds of the offset.
    async fn compare_clocks(&mut self, recorder: &Recorder, questions: u32) -> Result<Ahead, String> {
        let mut ahead = Ahead { least: i128::MIN, most: i128::MAX };
        for _ in 0..questions {
            let asked_ns = recorder.now_ns();
            inside::tell(&mut self.write, &ClientRequest::Clock).await.map_err(|error| format!("{error:#}"))?;
            let response = inside::next(&mut self.read).await.map_err(|error| format!("{error:#}"))?;
            let Some(ClientResponse::Clock(theirs_ns)) = response else {
                return Err(format!("port {PORT} does not respond"));
            };
            ahead = ahead.and(asked_ns, theirs_ns, recorder.now_ns());
        }
        tracing::debug!(error_ns = ahead.most - ahead.least, "compared the clock of Pod/{POD}");
        Ok(ahead)
    }

    /// Records the team's operations until it has ended.
    async fn follow(mut self, recorder: Arc<Recorder>, ahead: Ahead, stop: CancellationToken) -> anyhow::Result<()> {
        let mut asked_to_stop = false;
        loop {
            let response = tokio::select! {
                response = inside::next(&mut self.read) => response?,
                () = stop.cancelled(), if !asked_to_stop => {
                    asked_to_stop = true;
                    inside::tell(&mut self.write, &ClientRequest::Stop).await?;
                    continue;
                }
            };
            match response {
                Some(ClientResponse::CompletedOperation(done)) => recorder.done(ahead.place(*done, recorder.now_ns())),
                Some(ClientResponse::Ended) if asked_to_stop => return Ok(()),
                Some(ClientResponse::Clock(_) | ClientResponse::Answered(_) | ClientResponse::Ended) => {
                    bail!("unexpected message from the client pod")
                }
                None => return Err(anyhow!("the connection was lost")),
            }
        }
    }
}

impl Ahead {
    /// Combines these bounds with those of a query: the team's clock showed `theirs_ns` when the harness's clock was
    /// between `asked_ns` and `received_ns`.
    fn and(self, asked_ns: u64, theirs_ns: u64, received_ns: u64) -> Self {
        let theirs = i128::from(theirs_ns);
        Self {
            least: self.least.max(i128::from(asked_ns) - theirs),
            most: self.most.min(i128::from(received_ns) - theirs),
        }
    }

    /// Converts an operation to the harness's time, as long as it may have taken; it arrived here at `now_ns`.
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
