//! Additional programs in a running container.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use runtime::{Container, ContainerSpec, Exec, ExecSpec, OutputChunk, Security};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Case, case};
use crate::pod::{Node, Pod};

pub fn cases() -> Vec<Case> {
    vec![
        case("exec_joins_the_container", exec_joins_the_container),
        case("a_client_can_attach_to_a_container", a_client_can_attach_to_a_container),
        case("a_container_may_have_a_terminal", a_container_may_have_a_terminal),
        case("a_container_may_run_beside_another", a_container_may_run_beside_another),
        case("exec_has_pipes", exec_has_pipes),
        case("exec_may_have_a_terminal", exec_may_have_a_terminal),
        case("exec_of_a_missing_program_is_an_error", exec_of_a_missing_program_is_an_error),
        case("exec_ends_with_the_container", exec_ends_with_the_container),
    ]
}

fn shell(script: &str) -> ExecSpec {
    ExecSpec { argv: vec!["sh".into(), "-c".into(), script.into()], ..ExecSpec::default() }
}

async fn running(pod: &Pod) -> Result<Container> {
    let mut spec = pod.spec("echo mine > /tmp/file; echo ready; exec sleep 1000");
    spec.security = Security { run_as_user: Some(10001), run_as_group: Some(10001), ..Security::default() };
    spec.working_dir = Some("/tmp".into());
    spec.env.insert("OWN".into(), "container".into());
    let container = pod.start(spec).await?;
    pod.written("ready").await?;
    Ok(container)
}

async fn read(stream: &mut Option<runtime::ExecOutput>) -> Result<String> {
    let mut text = String::new();
    stream.as_mut().context("no such stream")?.read_to_string(&mut text).await?;
    Ok(text)
}

async fn outputs(exec: &mut Exec) -> Result<(String, String)> {
    let (stdout, stderr) = (&mut exec.stdout, &mut exec.stderr);
    tokio::try_join!(read(stdout), read(stderr))
}

async fn exec_joins_the_container(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container = running(&pod).await?;
    let script = "cat file; id -u; id -g; hostname; echo $OWN $MORE; tr '\\0' ' ' < /proc/1/cmdline; echo; \
                  grep -c eth0 /proc/net/dev; grep CapBnd /proc/self/status; echo $HOME";
    let env = BTreeMap::from([("MORE".to_owned(), "exec".to_owned())]);
    let mut exec = container.exec(ExecSpec { env, ..shell(script) }).await?;
    let (output, errors) = outputs(&mut exec).await?;
    let expected = "mine\n10001\n10001\na\ncontainer exec\nsleep 1000 \n1\nCapBnd:\t00000000a00425fb\n/\n";
    ensure!(output == expected, "{output} {errors}");
    ensure!(exec.wait().await == 0);
    pod.stop().await;
    Ok(())
}

async fn exec_has_pipes(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container = running(&pod).await?;
    let mut exec = container.exec(ExecSpec { stdin: true, ..shell("cat; echo done >&2; exit 4") }).await?;
    let mut stdin = exec.stdin.take().context("no standard input")?;
    let text = "0123456789".repeat(20_000);
    let write = async {
        stdin.write_all(text.as_bytes()).await?;
        drop(stdin);
        anyhow::Ok(())
    };
    let (output, written) = tokio::join!(outputs(&mut exec), write);
    written?;
    let (output, errors) = output?;
    ensure!(output == text && errors == "done\n", "{} bytes, {errors:?}", output.len());
    ensure!(exec.wait().await == 4);
    let mut without = container.exec(shell("cat")).await?;
    ensure!(outputs(&mut without).await?.0.is_empty() && without.stdin.is_none(), "without input it is empty");
    let killed = container.exec(shell("exec sleep 1000")).await?;
    killed.kill();
    ensure!(killed.wait().await == 137);
    pod.stop().await;
    Ok(())
}

async fn exec_may_have_a_terminal(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container = running(&pod).await?;
    let script = "tty; echo $TERM; read line; echo \"<$line>\"; stty size; cat; exit 5";
    let mut exec = container.exec(ExecSpec { tty: true, stdin: true, ..shell(script) }).await?;
    exec.resize(132, 43);
    let mut stdin = exec.stdin.take().context("no standard input")?;
    stdin.write_all(b"hello\n").await?;
    stdin.shutdown().await?;
    let output = read(&mut exec.stdout).await?;
    // The terminal's echo may come at any time.
    let shown = output.replacen("hello\r\n", "", 1);
    ensure!(shown.starts_with("/dev/pts/0\r\nxterm\r\n"), "{output:?}");
    ensure!(output.contains("<hello>\r\n43 132\r\n"), "{output:?}");
    ensure!(exec.stderr.is_none() && exec.wait().await == 5);
    pod.stop().await;
    Ok(())
}

async fn exec_of_a_missing_program_is_an_error(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container = running(&pod).await?;
    let spec = ExecSpec { argv: vec!["nosuch".into()], ..ExecSpec::default() };
    let Err(error) = container.exec(spec).await else { anyhow::bail!("it started") };
    let words = "OCI runtime exec failed: exec failed: unable to start container process: \
                 exec: \"nosuch\": executable file not found in $PATH";
    ensure!(error.to_string().ends_with(words), "{error}");
    ensure!(!container_ended(&container).await, "the container keeps running");
    pod.stop().await;
    Ok(())
}

async fn container_ended(container: &Container) -> bool {
    tokio::time::timeout(std::time::Duration::from_millis(50), container.wait()).await.is_ok()
}

async fn exec_ends_with_the_container(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container = running(&pod).await?;
    let exec = container.exec(shell("sleep 1000")).await?;
    container.signal(9);
    ensure!(exec.wait().await == 137);
    container.wait().await;
    let Err(error) = container.exec(shell("true")).await else { anyhow::bail!("it started") };
    ensure!(error.to_string() == format!("container {} is not running", container.id()), "{error}");
    pod.stop().await;
    Ok(())
}

/// Returns everything that a container says until it ends: its output and its errors.
async fn said(mut output: tokio::sync::mpsc::Receiver<OutputChunk>) -> (String, String) {
    let (mut words, mut errors) = (Vec::new(), Vec::new());
    while let Some(chunk) = output.recv().await {
        if chunk.is_error { &mut errors } else { &mut words }.extend(chunk.bytes);
    }
    (String::from_utf8_lossy(&words).into_owned(), String::from_utf8_lossy(&errors).into_owned())
}

async fn a_client_can_attach_to_a_container(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let script = "read line; echo \"<$line>\"; echo error >&2; cat; exit 3";
    let container = pod.start(ContainerSpec { stdin: true, ..pod.spec(script) }).await?;
    let (one, other) = (container.attach(), container.attach());
    container.write_input(b"hello\nrest").await;
    container.close_input().await;
    ensure!(container.wait().await.code == 3);
    let expected = ("<hello>\nrest".to_owned(), "error\n".to_owned());
    ensure!(said(one).await == expected && said(other).await == expected, "both clients see everything");
    ensure!(said(container.attach()).await == Default::default(), "it has ended");
    let log = std::fs::read_to_string(pod.log_path())?;
    ensure!(log.contains("stdout F <hello>") && log.contains("stderr F error"), "{log}");
    pod.stop().await;
    Ok(())
}

async fn a_container_may_have_a_terminal(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let script = "read line; stty size; test -t 0 && test -t 1 && echo $TERM; echo error >&2";
    let container = pod.start(ContainerSpec { stdin: true, tty: true, ..pod.spec(script) }).await?;
    let output = container.attach();
    container.resize(132, 43);
    container.write_input(b"go\n").await;
    ensure!(container.wait().await.code == 0);
    let (words, errors) = said(output).await;
    ensure!(words.contains("43 132\r\nxterm\r\nerror\r\n") && errors.is_empty(), "{words:?}");
    pod.stop().await;
    Ok(())
}

async fn a_container_may_run_beside_another(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let main = running(&pod).await?;
    let script = "tr '\\0' ' ' < /proc/1/cmdline; kill -0 1 && echo alive";
    let spec = ContainerSpec { name: "debugger".into(), stdin: true, ..pod.spec(script) };
    let log = node.dir.join("logs/a/debugger.log");
    let spec = ContainerSpec { log_path: log.clone(), ..spec };
    let beside = node.runtime.start_container(&pod.sandbox, spec, Some(main.clone())).await?;
    ensure!(beside.wait().await.code == 0);
    let log = std::fs::read_to_string(log)?;
    ensure!(log.contains("sleep 1000 alive"), "{log}");
    ensure!(!container_ended(&main).await, "the other one keeps running");
    pod.stop().await;
    Ok(())
}
