//! A container's program: how it starts, its user, how it ends.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use runtime::{RuntimeError, Security};

use super::{Case, NotRun, case, root_case};
use crate::pod::{Node, marked_processes};

const START_FAILED: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
                            runc create failed: unable to start container process: error during container init: ";
const KILL: i32 = 9;
const TERM: i32 = 15;

/// The simplest case.
pub const EXIT_CODE: &str = "exit_code_and_output";

pub fn cases() -> Vec<Case> {
    vec![
        case(EXIT_CODE, exit_code_and_output),
        case("a_signal_ends_the_program", a_signal_ends_the_program),
        case("the_program_may_handle_a_signal", the_program_may_handle_a_signal),
        case("children_die_with_the_program", children_die_with_the_program),
        case("the_program_runs_as_the_requested_user", the_program_runs_as_the_requested_user),
        root_case("the_program_has_its_groups", the_program_has_its_groups),
        case("the_program_has_few_capabilities", the_program_has_few_capabilities),
        case("the_environment_is_complete", the_environment_is_complete),
        case("a_missing_program_is_reported_as_by_runc", a_missing_program_is_reported_as_by_runc),
        case("a_second_attempt_starts_from_scratch", a_second_attempt_starts_from_scratch),
        root_case("exceeding_the_memory_limit_ends_the_program", exceeding_the_memory_limit_ends_the_program),
        case("many_containers_start_at_once", many_containers_start_at_once),
        case("an_abandoned_start_is_undone", an_abandoned_start_is_undone),
    ]
}

async fn exit_code_and_output(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let (exit, output) = pod.run(pod.spec("echo out; echo err >&2; exit 3")).await?;
    ensure!(exit.code == 3 && exit.signal.is_none() && !exit.oom_killed, "{exit:?}");
    ensure!(output.contains("out\n") && output.contains("err\n"), "{output:?}");
    ensure!(exit.finished_at >= exit.started_at, "{exit:?}");
    pod.stop().await;
    Ok(())
}

async fn a_signal_ends_the_program(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container = pod.start(pod.spec("exec sleep 1000")).await?;
    container.signal(KILL);
    let exit = container.wait().await;
    ensure!(exit.code == 137 && exit.signal == Some(KILL) && !exit.oom_killed, "{exit:?}");
    ensure!(container.wait().await.code == 137, "a second waiter gets the same result");
    pod.stop().await;
    Ok(())
}

async fn the_program_may_handle_a_signal(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let container =
        pod.start(pod.spec("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done")).await?;
    pod.written("ready").await?;
    container.signal(TERM);
    let exit = container.wait().await;
    ensure!(exit.code == 7 && exit.signal.is_none(), "{exit:?}");
    ensure!(pod.output().contains("bye"), "{}", pod.output());
    pod.stop().await;
    Ok(())
}

async fn children_die_with_the_program(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let script = "for n in 1 2 3; do (setsid sleep 1000 & sleep 1000) & done; echo ready; exec sleep 1000";
    let container = pod.start(pod.spec(script)).await?;
    pod.written("ready").await?;
    ensure!(marked_processes(&node).len() >= 4, "{:?}", marked_processes(&node));
    container.signal(KILL);
    container.wait().await;
    ensure!(marked_processes(&node).is_empty(), "left: {:?}", marked_processes(&node));
    pod.stop().await;
    Ok(())
}

async fn the_program_runs_as_the_requested_user(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("id -u; id -g; touch /tmp/mine && stat -c %u /tmp/mine; : > /dev/stdout");
    spec.security = Security { run_as_user: Some(10001), run_as_group: Some(10002), ..Security::default() };
    let (exit, output) = pod.run(spec).await?;
    ensure!(exit.code == 0 && output == "10001\n10002\n10001\n", "{exit:?} {output:?}");
    ensure!(pod.script("id -u").await? == "0\n", "root by default");
    pod.stop().await;
    Ok(())
}

async fn the_program_has_its_groups(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("id -G; grep Groups: /proc/self/status; ls /root 2>/dev/null");
    spec.security = Security { run_as_user: Some(10001), supplemental_groups: vec![7, 2000], ..Security::default() };
    let (exit, output) = pod.run(spec).await?;
    // CVE-2023-25173 was about the first of them.
    ensure!(output.starts_with("0 7 2000\nGroups:\t0 7 2000 \n"), "{output:?}");
    ensure!(exit.code != 0, "root's own files are inaccessible to it: {output:?}");
    pod.stop().await;
    Ok(())
}

async fn the_program_has_few_capabilities(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let status = "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status";
    let default = pod.script(status).await?;
    ensure!(default == "CapEff:\t00000000a00425fb\nCapBnd:\t00000000a00425fb\nNoNewPrivs:\t0\n", "{default}");
    let mut spec = pod.spec(status);
    spec.security = Security {
        run_as_user: Some(10001),
        drop_capabilities: vec!["ALL".into()],
        no_new_privileges: true,
        ..Security::default()
    };
    let (_, restricted) = pod.run(spec).await?;
    ensure!(restricted == "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n", "{restricted}");
    pod.stop().await;
    Ok(())
}

async fn the_environment_is_complete(node: Node) -> Result<()> {
    let pod = node.pod("a-host").await?;
    let mut spec = pod.spec("env | grep -v MARK | grep -v PWD | sort");
    spec.env.extend([("A".into(), "1 2\n3".into()), ("HOME".into(), "/elsewhere".into())]);
    let (_, output) = pod.run(spec).await?;
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    ensure!(output == format!("3\nA=1 2\nHOME=/elsewhere\nHOSTNAME=a-host\n{path}\n"), "{output}");
    pod.stop().await;
    Ok(())
}

async fn a_missing_program_is_reported_as_by_runc(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let words = [
        ("nosuch", "exec: \"nosuch\": executable file not found in $PATH"),
        ("/no/such", "exec: \"/no/such\": stat /no/such: no such file or directory"),
        ("/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
        ("/etc", "exec: \"/etc\": is a directory"),
    ];
    for (program, expected) in words {
        let mut spec = pod.spec("");
        spec.command = vec![program.into()];
        match pod.start(spec).await {
            Err(RuntimeError::Start(message)) => ensure!(message == format!("{START_FAILED}{expected}"), "{message}"),
            other => anyhow::bail!("{program}: {:?}", other.map(|container| container.id().to_owned())),
        }
    }
    let left = std::fs::read_dir(node.dir.join("containers")).context("look into the directory")?.count();
    ensure!(left == 0, "{left} containers that never started left their directories");
    pod.stop().await;
    Ok(())
}

async fn a_second_attempt_starts_from_scratch(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    let first = pod.start(pod.spec("echo one > /left; exit 1")).await?;
    ensure!(first.wait().await.code == 1);
    let mut spec = pod.spec("cat /left");
    spec.attempt = 1;
    let second = pod.start(spec).await?;
    ensure!(second.wait().await.code != 0, "the first attempt's file is still there");
    ensure!(first.id() != second.id() && first.id().len() == 64, "{} {}", first.id(), second.id());
    pod.stop().await;
    Ok(())
}

async fn exceeding_the_memory_limit_ends_the_program(node: Node) -> Result<()> {
    if !node.runtime.memory_limits_enforced() {
        let limits = node.runtime.limits();
        let reported = limits.into_iter().find(|limit| limit.contains("memory limits are not enforced"));
        return Err(NotRun(reported.context("the run's report does not mention that limits are not enforced")?).into());
    }
    let pod = node.pod("a").await?;
    let mut spec = pod.spec("exec tail /dev/zero");
    spec.memory_limit_bytes = Some(24 << 20);
    let (exit, output) = pod.run(spec.clone()).await?;
    ensure!(exit.oom_killed && exit.code == 137, "{exit:?} {output}");
    spec.command = vec!["true".into()];
    let (exit, _) = pod.run(spec).await?;
    ensure!(!exit.oom_killed && exit.code == 0, "{exit:?}");
    pod.stop().await;
    Ok(())
}

async fn many_containers_start_at_once(node: Node) -> Result<()> {
    let starts = (0..8).map(|number| {
        let node = node.clone();
        async move {
            let pod = node.pod(&format!("pod-{number}")).await?;
            let output = pod.script(&format!("hostname; echo {number}")).await?;
            ensure!(output == format!("pod-{number}\n{number}\n"), "{output:?}");
            pod.stop().await;
            Ok(())
        }
    });
    futures::future::try_join_all(starts).await.map(|_| ())
}

async fn an_abandoned_start_is_undone(node: Node) -> Result<()> {
    let pod = node.pod("a").await?;
    for patience_ms in 0..12 {
        let start = pod.start(pod.spec("exec sleep 1000"));
        drop(tokio::time::timeout(Duration::from_millis(patience_ms), start).await);
    }
    pod.stop().await;
    let containers = node.dir.join("containers");
    let undone = async {
        // In the node's own `/proc`, its own process is the only one left.
        while processes()? > 1 || std::fs::read_dir(&containers)?.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), undone).await;
    waited.with_context(|| format!("{} processes are left", processes().unwrap_or_default()))?
}

fn processes() -> Result<usize> {
    let named_by_number = |name: &std::ffi::OsStr| name.to_string_lossy().parse::<u32>().is_ok();
    Ok(std::fs::read_dir("/proc")?.flatten().filter(|entry| named_by_number(&entry.file_name())).count())
}
