//! Each check fails when it should, for the right reason, with the right message: faults planted in the stand-in.

use crate::command::command;
use crate::scene::{Ended, Scene};

/// Runs cases with a fault planted in the stand-in.
fn with(fault: &str, flags: &[&str]) -> Ended {
    in_scene(&Scene::new(), fault, flags)
}

fn in_scene(scene: &Scene, fault: &str, flags: &[&str]) -> Ended {
    let name = "config.extraEnv[0].name=STANDIN_FAULT";
    let value = format!("config.extraEnv[0].value={fault}");
    let planted = ["--set", name, "--set", &value];
    scene.run(&scene.embedded(&[flags, &planted].concat()))
}

/// Checks that only this case failed, with these words.
fn only(ended: &Ended, case: &str, words: &[&str]) {
    assert_eq!(ended.red(), [case], "{}", ended.told());
    assert_eq!(ended.code, 101, "{}", ended.told());
    for word in words {
        assert!(ended.message(case).contains(word), "{word:?} is missing in: {}", ended.message(case));
    }
    let summary = format!("first failure: {case}");
    assert!(ended.stderr.contains(&summary), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("--exact {case}")), "{}", ended.stderr);
}

#[test]
fn a_second_bootstrap_is_reported_as_one() {
    let case = "caesium::r3-ephemeral::pod_kill_zero";
    let ended = with("second-bootstrap", &["--exact", case, "caesium::r3-ephemeral::health"]);
    only(&ended, case, &["caesium-0 founded a second cluster", "while others count 3"]);
    assert_eq!(ended.verdict("caesium::r3-ephemeral::health"), Some("passed"), "a naive check passes");
}

#[test]
fn a_lost_acknowledged_write_is_found_after_the_kill() {
    let scene = Scene::new();
    let ended = in_scene(&scene, "lost-acknowledged-write", &["r1::write_read", "r1::pod_kill"]);
    only(
        &ended,
        "caesium::r1::pod_kill",
        &["acknowledged writes lost after delete Pod/caesium-0", "absent through caesium-0 from", "cargo xtask check"],
    );
    assert_eq!(ended.verdict("caesium::r1::write_read"), Some("passed"), "it is readable until the process ends");
    let history = scene.report().join("histories/caesium.r1.pod_kill.jsonl");
    let output = command(env!("CARGO_BIN_EXE_chartproof"), ["check".into(), history])
        .stdout_capture()
        .unchecked()
        .run()
        .unwrap();
    assert_eq!(output.status.code(), Some(101), "the saved history gets the same verdict");
    assert!(String::from_utf8_lossy(&output.stdout).contains("no acknowledged record lost: violated"));
}

#[test]
fn a_replica_that_is_never_ready_is_reported_with_its_state() {
    let ended = with("never-ready", &["r1::health", "--timeout", "20"]);
    let case = "caesium::r1::ready";
    only(
        &ended,
        case,
        &[
            "the only replica ready: timed out after 20 s",
            "0/1 ready",
            "Startup probe failed",
            "describe pod caesium-0",
        ],
    );
    assert_eq!(ended.verdict("caesium::r1::health"), Some("not_run"));
    assert!(
        ended.stdout.contains("test caesium::r1::health  ... ignored (not run: caesium::r1::ready)"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_hanging_health_endpoint_is_reported_as_such() {
    let probes = ["startupProbe", "readinessProbe"];
    let tcp: Vec<_> = probes
        .iter()
        .flat_map(|probe| {
            let plain = format!("{probe}.httpGet=null");
            ["--set".to_owned(), plain, "--set".to_owned(), format!("{probe}.tcpSocket.port=http")]
        })
        .collect();
    let flags: Vec<&str> = tcp.iter().map(String::as_str).chain(["r1::health", "--timeout", "20"]).collect();
    let ended = with("health-hangs", &flags);
    only(&ended, "caesium::r1::health", &["caesium-0 reports itself healthy", "no response within 2000 ms"]);
}

#[test]
fn a_crash_loop_ends_the_wait_at_the_third_crash_with_the_last_log_lines() {
    let ended = with("crash-loop", &["r1::ready"]);
    only(&ended, "caesium::r1::ready", &["container caesium ended 3 times, last with exit code 1", "log of caesium:"]);
    let took = ended.events.iter().find(|event| event["type"] == "run_ended").unwrap()["took_ms"].as_u64().unwrap();
    assert!(took < 120_000, "the deadline is 300 s; it took {took} ms");
}

#[test]
fn two_crashes_at_the_start_are_not_a_crash_loop() {
    let ended = with("crash-twice", &["r1::ready"]);
    assert_eq!(ended.code, 0, "{}", ended.told());
}
