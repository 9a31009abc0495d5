//! An invalid command line ends with exit code 2 and one helpful message, and nothing is created.

use std::path::Path;

use crate::command::command;
use crate::scene::{Scene, suite};

/// Checks for exit code 2, this message, nothing on stdout, and no new folder.
fn refused(flags: &[&str], message: &str) {
    let scene = Scene::new();
    let path = suite().display().to_string();
    let ended = scene.run(&scene.command(&[&["--suite", &path], flags].concat()));
    assert_eq!(ended.code, 2, "{flags:?}: {}", ended.told());
    assert!(ended.stderr.contains(message), "{flags:?}: {}", ended.told());
    assert_eq!(ended.stdout, "", "{flags:?}");
    let made: Vec<_> =
        std::fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let made: Vec<_> = made.iter().filter(|name| *name != "stdout" && *name != "stderr").collect();
    let left = std::fs::read_dir(scene.folder.path().join("target/chartproof")).map_or(0, Iterator::count);
    assert!(left == 0, "{flags:?} left {made:?}");
}

#[test]
fn invalid_flags_are_rejected_with_advice() {
    refused(&["--nonsense"], "unexpected argument '--nonsense'");
    refused(&["r1::no_such_case"], "no case matches \"r1::no_such_case\"; `cargo xtask e2e --list` shows all cases");
    refused(&["--replicas", "2"], "--replicas 2: no such topology; suite caesium has topologies with 1, 3, 5 replicas");
    refused(&["--replicas", "0"], "'0' for '--replicas <N,N>': 0 is not in 1..=100");
    refused(&["--timeout", "18446744073709551615"], "18446744073709551615 is not in 1..=86400");
    refused(&["--jobs", "18446744073709551615"], "18446744073709551615 is not in 1..=1000");
    refused(&["--cluster", "k3s"], "not a cluster; expected auto, kind, embedded or context:NAME");
    refused(&["--set", "replicaCount"], "--set replicaCount: expected KEY=VALUE");
    refused(&["--values", "none.yaml"], "--values none.yaml: no such file");
    refused(&["--image", "Not A Reference"], "--image Not A Reference");
    refused(&["--image", "missing.tar"], "missing.tar");
    refused(&["r1::ready", "r1::raedy"], "no case matches \"r1::raedy\"");
    refused(&["--reuse", "--cluster", "embedded"], "no run of this user has kept such a cluster; `cargo xtask cluster");
    refused(
        &["--reuse", "--cluster", "context:x", "--allow-context", "x"],
        "--reuse: context:x is an existing cluster; omit --reuse",
    );
    refused(&["--reuse", "--node-image", "kindest/node:v1.36.4"], "a kept cluster can't be changed");
    refused(&["--cluster", "context:docker-desktop"], "--allow-context docker-desktop");
}

/// As CI passes them if a variable is not set. The result must not be a run of no cases that passes.
#[test]
fn empty_flags_and_filters_without_matches_are_rejected() {
    refused(&["--image", ""], "--image: the value is empty");
    refused(&["--set", ""], "--set : expected KEY=VALUE");
    refused(&["--set", "=x"], "--set =x: expected KEY=VALUE");
    refused(&["--values", ""], "--values");
    refused(&["--suite", ""], "");
    refused(&["--cluster", ""], "not a cluster; expected auto, kind, embedded or context:NAME");
    refused(&["--replicas", ""], "--replicas");
    refused(&["--report-dir", ""], "--report-dir");
    refused(&["--skip", ""], "no case is left: --skip \"\" leaves out all selected cases");
    refused(&["--skip", "::"], "no case is left: --skip \"::\" leaves out all selected cases");
    refused(&["--exact", ""], "no case matches \"\"");
    refused(&["--exact", "r1::ready"], "no case matches \"r1::ready\"");
    refused(&["--ignored"], "--ignored: no case is ignored");
    refused(&["--keep", "uninstall"], "no case is left: --keep leaves out all selected cases");
    refused(&["--replicas", "3", "::r1::"], "no case matches \"::r1::\"");
}

#[test]
fn a_repository_without_suites_is_rejected() {
    let scene = Scene::new();
    std::fs::create_dir(scene.folder.path().join("helm")).unwrap();
    let ended = scene.run(&scene.command(&["--suite", "all"]));
    assert_eq!(ended.code, 2, "{}", ended.told());
    assert!(ended.stderr.contains("--suite all: no folder in helm has an e2e.toml"), "{}", ended.told());
}

#[test]
fn a_report_folder_in_use_is_rejected() {
    let scene = Scene::new();
    let handle = scene.embedded(&["r1::install"]).start().unwrap();
    while !scene.report().join("events.jsonl").exists() {
        assert!(handle.try_wait().unwrap().is_none(), "it ended before it started");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    let flags = scene.on_embedded();
    let words = [vec!["e2e", "cluster::create"], flags.iter().map(String::as_str).collect()].concat();
    let second = scene.xtask(&words).stdout_capture().stderr_capture().run().unwrap();
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{told}");
    assert!(told.contains(&format!("process {} on ", handle.pids()[0])) && told.contains(": in use by "), "{told}");
    let output = handle.wait().unwrap();
    let first = scene.ended(output.status.code());
    assert_eq!(first.code, 0, "the second run did not affect it: {}", first.told());
}

/// `cargo xtask e2e --list | head -0`, and a full disk as the reader.
#[test]
fn a_closed_pipe_is_not_an_error_but_a_full_disk_is() {
    let scene = Scene::new();
    let path = suite().display().to_string();
    let list = scene.xtask(&["e2e", "--suite", &path, "--list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let gone = list.stdout_file(writer).stderr_capture().run().unwrap();
    assert_eq!((gone.status.code(), String::from_utf8_lossy(&gone.stderr).as_ref()), (Some(0), ""));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let full = list.stdout_file(full).stderr_capture().run().unwrap();
    let told = String::from_utf8_lossy(&full.stderr).into_owned();
    assert_eq!(full.status.code(), Some(3), "{told}");
    assert!(told.starts_with("error: writing to stdout: No space left on device"), "{told}");
}

#[test]
fn the_error_of_an_invalid_suite_names_file_and_line() {
    let scene = Scene::new();
    let path = scene.folder.path().join("e2e.toml");
    std::fs::write(&path, "name = \"x\"\nchart = 7\n").unwrap();
    let ended = scene.run(&scene.command(&["--suite", &path.display().to_string()]));
    assert_eq!(ended.code, 2, "{}", ended.told());
    assert!(ended.stderr.contains("e2e.toml:2: invalid type: integer `7`, expected a string"), "{}", ended.told());
}

#[test]
fn a_ci_machine_without_docker_is_an_environment_error_without_fallback() {
    let env = vec![("CI", "true".to_owned()), ("DOCKER_HOST", "tcp://127.0.0.1:1".to_owned())];
    let scene = Scene { env, ..Scene::new() };
    let ended = scene.run(&scene.command(&["--suite", &suite().display().to_string(), "chart::lint"]));
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert!(ended.stderr.contains("docker is unavailable"), "{}", ended.told());
}

#[test]
fn an_embedded_cluster_is_not_kept_in_ci() {
    let scene = Scene { env: vec![("CI", "true".to_owned())], ..Scene::new() };
    let ended = scene.run(&scene.embedded(&["--keep", "r1::install"]));
    assert_eq!(ended.code, 2, "{}", ended.told());
    assert!(ended.stderr.contains("--keep is not supported with an embedded cluster in CI"), "{}", ended.told());
}

#[test]
fn a_broken_chart_fails_with_helms_finding() {
    let scene = Scene::new();
    let chart = scene.folder.path().join("caesium");
    copy(suite().parent().unwrap(), &chart);
    std::fs::write(chart.join("templates/wrong.yaml"), "a: {{ nosuchfunc }}\n").unwrap();
    let path = chart.display().to_string();
    let ended = scene.run(&scene.command(&["--suite", &path, "--cluster", "embedded", "chart::lint"]));
    let finding = "function \"nosuchfunc\" not defined";
    assert_eq!(ended.code, 101, "{}", ended.told());
    assert!(ended.stdout.contains(finding) && ended.stdout.contains("helm lint --strict"), "{}", ended.told());
    let linted = scene.xtask(&["lint", &path]).stdout_capture().stderr_null().run().unwrap();
    let said = String::from_utf8_lossy(&linted.stdout).into_owned();
    assert_eq!(linted.status.code(), Some(101), "{said}");
    let wrong = said.lines().filter(|line| line.starts_with("FAILED ")).count();
    assert!(wrong > 1 && said.contains(finding), "every values file is listed: {said}");
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn the_cases_are_listed_as_libtest_does() {
    let scene = Scene::new();
    let path = suite().display().to_string();
    let ended = scene.run(&scene.command(&["--suite", &path, "--list", "r1::pod", "chart::lint"]));
    assert_eq!(ended.stdout, "chart::lint: test\ncaesium::r1::pod_kill: test\n", "{}", ended.told());
    assert_eq!(ended.code, 0);
}

#[test]
fn an_invalid_history_is_rejected_with_line_and_reason() {
    let scene = Scene::new();
    let path = scene.folder.path().join("history.jsonl");
    std::fs::write(&path, "{}\n").unwrap();
    let output = command(env!("CARGO_BIN_EXE_chartproof"), ["check".as_ref(), path.as_os_str()])
        .stderr_capture()
        .unchecked()
        .run()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("history.jsonl: line 1: neither a header, an operation nor a fault"), "{told}");
}

/// Runs a subcommand; returns its exit code and output.
fn light(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Scene::new().xtask(words).stdout_capture().stderr_capture().run().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), stdout, stderr)
}

#[test]
fn a_chart_is_rendered_without_a_cluster() {
    let path = suite().display().to_string();
    let (code, stdout, stderr) = light(&["template", "--suite", &path, "--topology", "r3", "--set", "replicaCount=5"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("kind: StatefulSet") && stdout.contains("replicas: 5"), "{stdout}");
    assert!(stdout.contains("kind: PodDisruptionBudget"), "with the topology's values: {stdout}");
    let (code, _, stderr) = light(&["template", "--suite", &path, "--topology", "r7"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("--topology r7: no such topology in suite caesium; it has r1, r3, r3-disks, r3-ephemeral, r5"),
        "{stderr}"
    );
    let (code, _, stderr) = light(&["template", "--suite", &path, "--set", "replicaCount=none"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("replicaCount") && stderr.contains("exit code 1 after"), "{stderr}");
}

#[test]
fn tools_are_listed_with_their_origin() {
    let (code, stdout, stderr) = light(&["tools"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for words in ["helm     v", "kubectl  v", "pinned v4.1.4", "node     kindest/node:v1.36.4@sha256:"] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    assert!(stdout.contains("found on PATH") || stdout.contains("pinned, "), "{stdout}");
}
