//! The cluster as the phases see it: a client, one watcher per namespace, waits, HTTP to pods.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

pub mod final_states;
pub mod http;
pub mod logs;
pub mod objects;
pub mod rollout;
pub mod wait;
pub mod watch;

/// How long one call to the API server may take; watches, logs and port-forwards have no such limit.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// A client for one context of one kubeconfig; the user's own is never looked at.
///
/// # Errors
/// Where the file can't be read or has no such context.
pub async fn client(kubeconfig: &Path, context: &str) -> anyhow::Result<kube::Client> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("reading the kubeconfig {}", kubeconfig.display()))?;
    client_of(file, context).await.with_context(|| kubeconfig.display().to_string())
}

/// The same from a kubeconfig that was read.
///
/// # Errors
/// Where there is no such context in it.
pub async fn client_of(kubeconfig: Kubeconfig, context: &str) -> anyhow::Result<kube::Client> {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.with_context(|| format!("context {context}"))?;
    // kube would retry for minutes out of sight; here every wait has its own deadline and says what it saw.
    config.default_retry = false;
    config.connect_timeout = Some(CALL_TIMEOUT);
    kube::Client::try_from(config).with_context(|| format!("a client for context {context}"))
}

/// Makes a call to the API server with its limit; `what` names it: `deleting Pod/caesium-0`.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn call<T>(what: &str, call: impl Future<Output = kube::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(Refused { what: what.to_owned(), status }.into()),
        Ok(Err(error)) => Err(error).with_context(|| what.to_owned()),
        Err(_) => anyhow::bail!("{what}: the api server did not answer within {} s", CALL_TIMEOUT.as_secs()),
    }
}

/// A call that the API server refused.
#[derive(Debug)]
pub struct Refused {
    /// The call.
    pub what: String,
    /// The answer.
    pub status: Box<kube::core::Status>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: the api server refused with {}: {}", self.what, self.status.code, self.status.message)
    }
}

impl std::error::Error for Refused {}
