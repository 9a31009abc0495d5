//! `--reuse` uses an existing cluster and keeps it; `--keep` keeps the run's own cluster for later runs.

use std::path::PathBuf;

use crate::left::left_behind;
use crate::scene::{Scene, suite};
use crate::up::{Up, shown};

#[test]
fn a_running_cluster_is_used_and_kept() {
    let scene = Scene::new();
    let up = Up::start(&scene);
    let uid = || up.kubectl(&["get", "namespace", "kube-system", "--output", "jsonpath={.metadata.uid}"]);
    let before = uid();
    let ended = scene.run(&scene.embedded(&["--reuse", "r1::health"]));
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stderr.contains("the existing cluster of context chartproof, kept by run up-"), "{}", ended.told());
    assert!(ended.verdict("images::load") == Some("passed"), "the stand-in is built and loaded: {}", ended.told());
    assert_eq!(uid(), before, "the same cluster");
    assert_eq!(up.kubectl(&["get", "namespaces", "--selector", "chartproof/run", "--output", "name"]), "");
    assert_eq!(up.down(&scene), Some(0));
    assert_eq!(left_behind(&scene), [""; 0]);
}

#[test]
fn a_kept_cluster_stays_usable_until_it_is_taken_down() {
    let scene = Scene::new();
    let (suite, kept) = (shown(&suite()), shown(&scene.folder.path().join("kept")));
    let words = ["e2e", "--suite", &suite, "--cluster", "embedded", "--report-dir", &kept, "--keep", "r1::health"];
    let up = Up::of(&scene, &words, |told| {
        // The report comes after the note that names the kubeconfig.
        told.contains("test result: ok.").then(|| PathBuf::from(&kept).join("cluster/kubeconfig"))
    });
    let pods = up.kubectl(&["get", "pods", "--all-namespaces", "--output", "jsonpath={.items[*].metadata.name}"]);
    assert!(pods.contains("caesium-0"), "the release is kept: {pods}");
    let ended = scene.run(&scene.embedded(&["--reuse", "r1::install"]));
    assert_eq!(ended.code, 0, "{}", ended.told());
    let pods = up.kubectl(&["get", "pods", "--all-namespaces", "--output", "jsonpath={.items[*].metadata.name}"]);
    assert_eq!(pods, "caesium-0", "only of the kept release");
    assert_eq!(up.down(&scene), Some(0), "the exit code is the run's");
    assert_eq!(left_behind(&scene), [""; 0]);
}
