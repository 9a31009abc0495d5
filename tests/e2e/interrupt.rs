//! Ctrl-C and SIGTERM: evidence is kept, the cluster is gone, the exit code tells.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Ended, Scene};

/// Starts a run, sends the signal once `line` was told, and waits for its end.
fn interrupted(scene: &Scene, line: &str, signal: Signal) -> Ended {
    let handle = scene.embedded(&["r1::pod_kill"]).start().unwrap();
    wait_for(&scene.folder.path().join("stderr"), line);
    let pid = Pid::from_raw(handle.pids()[0].cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
    let output = handle.wait().unwrap();
    scene.ended(output.status.code())
}

fn wait_for(file: &PathBuf, line: &str) {
    let started = Instant::now();
    while !std::fs::read_to_string(file).unwrap_or_default().contains(line) {
        assert!(started.elapsed() < Duration::from_secs(300), "{line:?} was not told");
        std::thread::yield_now();
    }
}

#[test]
fn ctrl_c_collects_tears_down_and_ends_with_130() {
    let scene = Scene::new();
    let ended = interrupted(&scene, "fault: delete Pod/caesium-0", Signal::INT);
    assert_eq!(ended.code, 130, "{}", ended.told());
    assert!(ended.message("caesium::r1::pod_kill").starts_with("interrupted; last seen: "), "{}", ended.told());
    assert_eq!(ended.verdict("cluster::delete"), Some("passed"), "{}", ended.told());
    assert!(scene.report().join("r1/failed/pod_kill").exists(), "evidence is kept");
    assert!(!scene.report().join("cluster").exists(), "the cluster is gone");
    assert!(scene.report().join("junit.xml").exists());
}

#[test]
fn sigterm_ends_with_143() {
    let scene = Scene::new();
    let ended = interrupted(&scene, "caesium::r1::install ...", Signal::TERM);
    assert_eq!(ended.code, 143, "{}", ended.told());
    assert!(!scene.report().join("cluster").exists(), "the cluster is gone");
}
