//! `pods/exec` over a WebSocket (`v4.channel.k8s.io`, `v5.channel.k8s.io`).

use axum::extract::{FromRequestParts, WebSocketUpgrade};
use axum::response::Response;
use runtime::{Exec, ExecSpec};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::channels::{self, Incoming, Socket};
use super::path::Target;
use super::{State, body, pod, request};
use crate::status::Status;

pub const STDIN: u8 = 0;
pub const STDOUT: u8 = 1;
pub const STDERR: u8 = 2;
pub const STATUS: u8 = 3;
pub const RESIZE: u8 = 4;

/// The supported protocols, the preferred one first.
pub const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Handles a request to run a program in a container.
pub async fn answer(state: &State, target: &Target, request: axum::extract::Request) -> Result<Response, Status> {
    let query = request::query(request.uri())?;
    let parameter = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let flag = |name: &str| parameter(name).is_some_and(|value| matches!(value, "true" | "1"));
    let pod = pod::of(state, target)?;
    if let Some(phase @ ("Succeeded" | "Failed")) = pod["status"]["phase"].as_str() {
        let message = format!("cannot exec into a container in a completed pod; current phase is {phase}");
        return Err(body::bad(message));
    }
    let name = pod::container(&pod, parameter("container").unwrap_or_default())?;
    let argv: Vec<String> = query.iter().filter(|(key, _)| key == "command").map(|(_, value)| value.clone()).collect();
    if argv.is_empty() {
        return Err(body::bad("you must specify at least 1 command for the container"));
    }
    let spec = ExecSpec { argv, env: std::collections::BTreeMap::new(), tty: flag("tty"), stdin: flag("stdin") };
    let container = state.kubelet.container(pod["metadata"]["uid"].as_str().unwrap_or_default(), &name)?;
    let upgrade = upgrade(request, PROTOCOLS).await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let argv = spec.argv.clone();
        let socket = channels::split_when_read(socket).await;
        match container.exec(spec).await {
            Ok(exec) => run(socket, exec, &argv).await,
            Err(error) => refuse(socket, &error.to_string()).await,
        }
    }))
}

/// Switches to a WebSocket with one of the protocols.
pub async fn upgrade<const N: usize>(
    request: axum::extract::Request,
    protocols: [&'static str; N],
) -> Result<WebSocketUpgrade, Status> {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|error| {
        let why = format!("this request has to be upgraded to a WebSocket ({})", protocols.join(", "));
        body::bad(format!("unable to upgrade: {why}: {error}"))
    })?;
    Ok(upgrade.protocols(protocols))
}

async fn run((mut client, out, sender): Socket, mut exec: Exec, argv: &[String]) {
    let stdout = tokio::spawn(channels::copy(exec.stdout.take(), STDOUT, out.clone()));
    let stderr = tokio::spawn(channels::copy(exec.stderr.take(), STDERR, out.clone()));
    let mut stdin = exec.stdin.take();
    let mut is_listening = true;
    let code = loop {
        tokio::select! {
            code = exec.wait() => break code,
            incoming = client.next(), if is_listening => match incoming {
                Some(Incoming::Data(STDIN, data)) => {
                    if let Some(input) = &mut stdin && input.write_all(&data).await.is_err() {
                        stdin = None;
                    }
                }
                Some(Incoming::Data(RESIZE, sent)) => {
                    if let Some((columns, rows)) = size(&sent) {
                        exec.resize(columns, rows);
                    }
                }
                Some(Incoming::Closed(STDIN)) => {
                    if let Some(mut input) = stdin.take() {
                        let _ = input.shutdown().await;
                    }
                }
                Some(_) => {}
                // The client is gone, so its program is ended, as containerd does.
                None => {
                    exec.kill();
                    is_listening = false;
                }
            },
        }
    };
    let _ = tokio::join!(stdout, stderr);
    let _ = out.send((STATUS, exit_status(code, argv).to_string().into())).await;
    drop(out);
    let _ = sender.await;
}

/// Returns the size of a terminal as a client sends it: columns and rows.
pub fn size(sent: &[u8]) -> Option<(u16, u16)> {
    let sent = serde_json::from_slice::<Value>(sent).ok()?;
    let side = |name: &str| sent[name].as_u64().and_then(|value| u16::try_from(value).ok());
    side("Width").zip(side("Height"))
}

async fn refuse((_client, out, sender): Socket, why: &str) {
    let message = format!("Internal error occurred: error executing command in container: {why}");
    let status = Status::new(500, "InternalError", message);
    let _ = out.send((STATUS, status.to_json().to_string().into())).await;
    drop(out);
    let _ = sender.await;
}

fn exit_status(code: i32, argv: &[String]) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    let message = format!(
        "command terminated with non-zero exit code: error executing command [{}], exit code {code}",
        argv.join(" ")
    );
    json!({
        "metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}
