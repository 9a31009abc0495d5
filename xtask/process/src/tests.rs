//! Tests with well-behaved and misbehaving children.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Cmd, Ended, Launcher};
use events::{Events, What};

fn sh(script: &str) -> Cmd {
    Launcher::light(false).cmd("sh").arg("-c").arg(script)
}

/// Waits, within a bound, until a process is gone or a zombie; there is no notification for that.
async fn is_gone(pid: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Returns the process ID that a script writes to a file as soon as its grandchild runs.
async fn written(file: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Ok(text) = std::fs::read_to_string(file)
            && text.ends_with('\n')
        {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{}: nothing was written", file.display())
}

#[tokio::test]
async fn output_and_input_pass_through() {
    assert_eq!(sh("cat").stdin("a\nb\n").run().await.unwrap(), "a\nb\n");
    let output = sh("echo out; echo err >&2; exit 3").output().await.unwrap();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (3, "out\n", "err\n"));
    assert!(!output.success());
}

#[tokio::test]
async fn environment_and_folder_are_set() {
    let cmd = sh("echo $A $HOME; pwd").env("A", "1").env_remove("HOME").current_dir("/");
    assert_eq!(cmd.run().await.unwrap(), "1\n/\n");
}

#[tokio::test]
async fn an_error_shows_line_code_duration_and_tail() {
    let error = sh("i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i >&2; done; exit 7").run().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("sh: line 20\n    `sh -c 'i=0; while "), "{text}");
    assert!(text.contains("exit code 7 after "), "{text}");
    assert!(text.contains("\n    line 9\n") && text.ends_with("\n    line 20"), "{text}");
    assert!(!text.contains("line 8\n"), "{text}");
}

#[tokio::test]
async fn an_error_shows_stdout_too() {
    let error = sh("echo '[ERROR] the finding'; echo 'Error: 1 chart(s) failed' >&2; exit 1").run().await.unwrap_err();
    assert!(error.to_string().ends_with("\n    [ERROR] the finding\n    Error: 1 chart(s) failed"), "{error}");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Launcher::light(false).cmd("/no/such/kind").arg("version").run().await.unwrap_err();
    assert!(error.to_string().starts_with("`/no/such/kind version`: could not be started: "), "{error}");
}

#[tokio::test]
async fn a_signal_is_not_an_exit_code() {
    let error = sh("kill -9 $$").output().await.unwrap_err();
    assert_eq!(error.ended, Ended::Signal(9));
    assert!(error.to_string().contains("ended by signal 9"), "{error}");
}

#[tokio::test]
async fn a_time_out_shows_its_limit_and_ends_grandchildren() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("(sleep 1000 & echo $! > {0}; wait); true", file.display());
    let error = sh(&script).timeout(Duration::from_secs(1)).run().await.unwrap_err();
    assert_eq!(error.ended, Ended::TimedOut(Duration::from_secs(1)));
    assert!(error.to_string().contains("exceeded its time limit of 1 s, stopped after 1."), "{error}");
    assert!(is_gone(&written(&file).await).await);
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {}; sleep 1000; true'; true", file.display());
    let cancel = CancellationToken::new();
    let launcher = Launcher::light(false).stopped_by(cancel.clone());
    let cmd = launcher.cmd("sh").arg("-c").arg(script).grace(Duration::from_millis(300));
    let (error, pid) = tokio::join!(cmd.run(), async {
        let pid = written(&file).await;
        cancel.cancel();
        pid
    });
    assert!(error.unwrap_err().is_cancelled());
    assert!(is_gone(&pid).await);
}

#[tokio::test]
async fn a_dropped_command_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let run = sh(&format!("echo $$ > {}; sleep 1000; true", file.display())).run();
    let pid = tokio::select! {
        _ = run => panic!("ended by itself"),
        pid = written(&file) => pid,
    };
    assert!(is_gone(&pid).await);
}

#[tokio::test]
async fn a_run_keeps_the_whole_output_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (events, mut stream) = Events::channel();
    let launcher = Launcher::for_run(events, dir.path(), false, CancellationToken::new()).unwrap();
    let script = "seq 1 500; echo hunter2 >&2; exit 1";
    let error = launcher.cmd("sh").args(["-c", script, "--token=x"]).secret("hunter2").run().await.unwrap_err();
    let Some(What::Command { line, code, output, .. }) = stream.recv().await.map(|event| event.what) else {
        panic!("no event")
    };
    assert_eq!(line, "sh -c 'seq 1 500; echo REDACTED >&2; exit 1' --token=REDACTED");
    assert_eq!((code, output.as_str()), (Some(1), "commands/0001-sh.log"));
    let kept = std::fs::read_to_string(dir.path().join(output)).unwrap();
    assert!(kept.contains("--- stdout\n1\n2\n") && kept.contains("\n500\n--- stderr\nREDACTED\n--- exit code 1"));
    assert!(error.to_string().contains("commands/0001-sh.log") && !error.to_string().contains("hunter2"), "{error}");
}
