//! Requests to pods, all over the API: HTTP and lines over port-forwards, commands by exec. A port-forward ends with its
//! pod; the next request connects again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::connection::Connection;
use client::exec;
use client::reach::Reach;
use client::request::{Protocol, Request};
use client::response::{Failure, Response};
use client::target::{self, Target};
use client::template::{Fill, SecretKey, Secrets};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use tokio::sync::{Mutex, Semaphore};

use super::{call, code};

/// How many commands run at once: each is a connection to the API server, and a process on the node.
const COMMANDS_MAX: usize = 8;

/// A client for the pods in one namespace.
pub struct PodClient {
    pods: Api<Pod>,
    secrets: Api<Secret>,
    reach: Reach,
    /// The container in which commands run.
    container: Option<String>,
    kept: Mutex<BTreeMap<String, Connection>>,
    commands: Semaphore,
}

/// One of the pods.
#[derive(Clone)]
pub struct PodTarget {
    client: Arc<PodClient>,
    pod: String,
}

impl PodClient {
    /// Returns a client for the pods in a namespace.
    pub fn new(client: kube::Client, namespace: &str, reach: Reach, container: Option<String>) -> Arc<Self> {
        Arc::new(Self {
            pods: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client, namespace),
            reach,
            container,
            kept: Mutex::default(),
            commands: Semaphore::new(COMMANDS_MAX),
        })
    }

    /// Returns how the application is reached.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Returns a pod by its name.
    pub fn pod(self: &Arc<Self>, name: &str) -> PodTarget {
        PodTarget { client: self.clone(), pod: name.to_owned() }
    }

    /// Sends a request to a pod, over the previous connection if it is still open.
    ///
    /// # Errors
    /// If there is no response; the error distinguishes whether the request was sent.
    pub async fn ask(self: &Arc<Self>, pod: &str, request: &Request, fill: Fill<'_>) -> Result<Response, Failure> {
        self.ask_within(pod, request, fill, self.reach.timeout(request)).await
    }

    /// Like [`PodClient::ask`], with its own limit.
    ///
    /// # Errors
    /// As [`PodClient::ask`].
    pub async fn ask_within(
        self: &Arc<Self>,
        pod: &str,
        request: &Request,
        fill: Fill<'_>,
        limit: Duration,
    ) -> Result<Response, Failure> {
        let secrets = self.secrets(request.secrets()).await.map_err(Failure::NotSent)?;
        let fill = Fill { secrets: Some(&secrets), ..fill };
        let kept = self.kept.lock().await.remove(pod);
        let exchange = target::ask(&self.pod(pod), kept, request, fill, limit).await;
        // A connection with an unexpected response may lead elsewhere, so the next request connects again.
        let is_expected = exchange.response.as_ref().is_ok_and(|response| request.check(response).is_ok());
        if let Some(connection) = exchange.connection.filter(|_| is_expected) {
            self.kept.lock().await.insert(pod.to_owned(), connection);
        }
        exchange.response
    }

    /// Sends a request to a pod, and requires a success.
    ///
    /// # Errors
    /// If there is no response, or it is no success.
    pub async fn succeed(self: &Arc<Self>, pod: &str, request: &Request) -> Result<Response, String> {
        let response = self.ask(pod, request, Fill::default()).await.map_err(|failure| failure.to_string())?;
        request.check(&response).map(|()| response)
    }

    /// Returns the values of these keys of Secrets and of those that connections need. They are hidden in everything
    /// that the run writes from then on.
    ///
    /// # Errors
    /// If one does not exist.
    pub async fn secrets<'a>(&'a self, of_requests: impl Iterator<Item = &'a SecretKey>) -> Result<Secrets, String> {
        let mut secrets = Secrets::default();
        for key in of_requests.chain(self.reach.secrets()) {
            secrets.insert(key, self.secret(key).await?);
        }
        Ok(secrets)
    }

    async fn secret(&self, SecretKey { name, key }: &SecretKey) -> Result<String, String> {
        let got = call(&format!("getting Secret/{name}"), self.secrets.get(name)).await;
        let secret = got.map_err(|error| match code(&error) {
            Some(404) => format!("Secret/{name} does not exist, although a request of the suite contains it"),
            _ => format!("{error:#}"),
        })?;
        let data = secret.data.unwrap_or_default();
        let Some(value) = data.get(key) else {
            let keys = data.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("Secret/{name} has no key {key}: it has {keys}"));
        };
        let value = String::from_utf8(value.0.clone()).map_err(|_| format!("Secret/{name}: {key} is not text"))?;
        redact::known::learn(&value);
        Ok(value)
    }
}

impl Target for PodTarget {
    fn reach(&self) -> &Reach {
        &self.client.reach
    }

    fn host(&self) -> &'static str {
        // A command runs beside the application, in the same network namespace.
        "127.0.0.1"
    }

    async fn connect(&self, protocol: Protocol, secrets: &Secrets, timeout: Duration) -> Result<Connection, Failure> {
        let connected = tokio::time::timeout(timeout, self.forward(protocol, secrets)).await;
        let connected = connected.unwrap_or_else(|_| Err(format!("timed out after {} ms", timeout.as_millis())));
        connected.map_err(|why| Failure::NotSent(format!("connecting to {}: {why}", self.pod)))
    }

    async fn run(&self, words: Vec<String>, container: Option<&str>, timeout: Duration) -> Result<Response, Failure> {
        // The time limit is that of the command; others are under way, and each ends within its own.
        let permit = self.client.commands.acquire().await;
        let _permit = permit.map_err(|_| Failure::NotSent("no commands are run any more".to_owned()))?;
        let container = container.or(self.client.container.as_deref());
        let ended = tokio::time::timeout(timeout, self.exec(words, container)).await;
        let place = |why: String| format!("in {}: {why}", self.pod);
        match ended {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(Failure::NotSent(why))) => Err(Failure::NotSent(place(why))),
            Ok(Err(failure)) => Err(Failure::Unanswered(place(failure.to_string()))),
            // Dropped, the connection closes, and the node ends the command.
            Err(_) => Err(Failure::TimedOut(place(format!("not ended within {} ms", timeout.as_millis())))),
        }
    }
}

impl PodTarget {
    async fn forward(&self, protocol: Protocol, secrets: &Secrets) -> Result<Connection, String> {
        let reach = &self.client.reach;
        let port = reach.port(protocol).ok_or_else(|| format!("no port for {protocol:?}"))?.number;
        let forwarded = self.client.pods.portforward(&self.pod, &[port]).await;
        let mut forwarder = forwarded.map_err(|error| error.to_string())?;
        let stream = forwarder.take_stream(port).ok_or("the port-forward has no stream")?;
        let (tell, refused) = tokio::sync::watch::channel(None);
        if let Some(error) = forwarder.take_error(port) {
            tokio::spawn(async move {
                if let Some(why) = error.await {
                    tell.send_replace(Some(why));
                }
            });
        }
        // Dropping the forwarder would end the port-forward.
        Connection::over(&self.pod, (stream, protocol), (reach, secrets), refused, Box::new(forwarder)).await
    }

    /// Runs a command and returns its outputs and exit status.
    async fn exec(&self, words: Vec<String>, container: Option<&str>) -> Result<Response, Failure> {
        let parameters = AttachParams { container: container.map(str::to_owned), ..AttachParams::default() };
        let mut process =
            self.client.pods.exec(&self.pod, words, &parameters).await.map_err(|error| refused(&error))?;
        let (stdout, stderr, status) = (process.stdout(), process.stderr(), process.take_status());
        let (output, stderr) = tokio::try_join!(exec::read(stdout), exec::read(stderr)).map_err(Failure::Unanswered)?;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let status =
            status.ok_or_else(|| Failure::Unanswered("the connection to the API server was lost".to_owned()))?;
        let status = Some(exit_status(&status).map_err(Failure::Unanswered)?);
        Ok(Response { status, output, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    }
}

/// Returns whether a command may have run although the API server did not begin to serve it.
fn refused(error: &kube::Error) -> Failure {
    match error {
        kube::Error::UpgradeConnection(kube::client::UpgradeConnectionError::ProtocolSwitch(status))
            if status.is_client_error() =>
        {
            Failure::NotSent(format!("exec was refused: {error}"))
        }
        kube::Error::Api(status) if (400..500).contains(&status.code) => Failure::NotSent(status.message.clone()),
        error => Failure::Unanswered(format!("exec: {error}")),
    }
}

/// Returns a command's exit status from what the API server says of its end.
///
/// # Errors
/// If it does not say how the command ended: it may not have run.
fn exit_status(status: &Status) -> Result<u16, String> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_deref()).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    let code = code.and_then(|cause| cause.message.as_deref()?.parse().ok());
    code.ok_or_else(|| status.message.clone().unwrap_or_else(|| "no exit status".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(status: serde_json::Value) -> Result<u16, String> {
        exit_status(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn a_command_ends_with_its_exit_status_or_did_not_run() {
        assert_eq!(status(json!({ "metadata": {}, "status": "Success" })), Ok(0));
        let causes = json!([{ "reason": "ExitCode", "message": "7" }]);
        let failed = json!({ "status": "Failure", "reason": "NonZeroExitCode", "details": { "causes": causes } });
        assert_eq!(status(failed), Ok(7));
        let message = "exec: \"nope\": executable file not found in $PATH";
        assert_eq!(status(json!({ "status": "Failure", "message": message })).unwrap_err(), message);
    }
}
