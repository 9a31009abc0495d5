//! Lifecycle hooks: a command, a request or a pause.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};

use super::command::{self, CommandOutcome};
use super::{probe, time};

/// The timeout of a hook's request.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a hook; returns why it failed, if it did.
pub(super) async fn run(
    handler: &LifecycleHandler,
    spec: &Container,
    container: &runtime::Container,
    ip: Ipv4Addr,
) -> Result<(), String> {
    if let Some(exec) = &handler.exec {
        let argv = exec.command.as_deref().unwrap_or_default();
        match command::run(container, argv, None).await {
            CommandOutcome::Ended(0, _) => Ok(()),
            CommandOutcome::Ended(code, output) => {
                Err(format!("command '{}' exited with {code}: {output}", argv.join(" ")))
            }
            CommandOutcome::NotStarted(why) => Err(why),
            CommandOutcome::TimedOut => Err("the command timed out".to_owned()),
        }
    } else if let Some(http) = &handler.http_get {
        probe::get(http, spec, ip, HTTP_TIMEOUT).await.map(|_| ())
    } else if let Some(sleep) = &handler.sleep {
        tokio::time::sleep(time::seconds(Some(sleep.seconds), 0)).await;
        Ok(())
    } else {
        Err("the hook has no action that the embedded cluster supports".to_owned())
    }
}
