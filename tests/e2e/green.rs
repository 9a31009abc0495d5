//! Without faults everything passes: the control for all other tests here.

use crate::scene::Scene;

#[test]
fn one_replica_passes_every_case_and_leaves_its_evidence() {
    let scene = Scene::new();
    let ended = scene.run(&scene.embedded(&["--replicas", "1"]));
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(ended.red(), [""; 0], "{}", ended.told());
    let started = ended.events.iter().find(|event| event["type"] == "run_started").unwrap();
    let cases = started["cases"].as_array().unwrap().len();
    assert!(cases >= 16, "one replica has all these cases: {cases}");
    let result = format!("test result: ok. {cases} passed; 0 failed; 0 ignored");
    assert!(ended.stdout.contains(&result), "{}", ended.stdout);
    let first = ended.stderr.lines().next().unwrap_or_default();
    assert!(first.contains("the stand-in") && first.contains("the embedded cluster"), "{first}");
    for file in [
        "events.jsonl",
        "junit.xml",
        "report.html",
        "histories/caesium.r1.pod_kill.jsonl",
        "caesium-r1/logs",
        "commands",
    ] {
        assert!(scene.report().join(file).exists(), "{file} is missing");
    }
    assert!(!scene.report().join("cluster").exists(), "the cluster is gone");
}

#[test]
fn three_replicas_without_disks_join_again() {
    let scene = Scene::new();
    let ended = scene.run(&scene.embedded(&["r3-ephemeral", "--skip", "helm_test"]));
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(ended.verdict("caesium::r3-ephemeral::pod_kill_zero"), Some("passed"));
    assert_eq!(ended.verdict("caesium::r3-ephemeral::helm_test"), None, "it was skipped");
}
