//! A run whose reports go to a full disk: the verdict is reported nevertheless.

use crate::scene::{Ended, Scene, suite};

#[test]
fn a_full_disk_loses_the_reports_but_not_the_verdict() {
    let green = on_a_full_disk(&["r1::health"]);
    assert!(green.stdout.contains("test result: ok. 7 passed; 0 failed"), "{}", green.told());
    assert!(green.stderr.contains("7 of 7 cases passed"), "the summary is printed: {}", green.told());
    let told = "the reports are incomplete: writing events.jsonl: No space left on device";
    assert!(green.stderr.contains(told), "{}", green.told());
    assert_eq!(green.code, 3, "a passed run without reports must not pass in CI: {}", green.told());
}

#[test]
fn a_failed_run_stays_failed_on_a_full_disk() {
    let fault = ["--set", "config.extraEnv[0].name=STANDIN_FAULT", "--set", "config.extraEnv[0].value=never-ready"];
    let red = on_a_full_disk(&[&["r1::health", "--timeout", "20"], fault.as_slice()].concat());
    assert!(red.stdout.contains("test result: FAILED. 5 passed; 1 failed; 1 ignored"), "{}", red.told());
    assert!(red.stderr.contains("first failure: caesium::r1::ready"), "the first cause is printed: {}", red.told());
    assert!(red.stderr.contains("the reports are incomplete: "), "{}", red.told());
    assert_eq!(red.code, 101, "{}", red.told());
}

#[test]
fn budgets_that_cannot_be_written_do_not_change_the_verdict() {
    let scene = Scene::new();
    let (folder, chart) = (scene.folder.path().join("suite"), suite().parent().unwrap().display().to_string());
    let text = std::fs::read_to_string(suite()).unwrap().replace("chart = \".\"", &format!("chart = \"{chart}\""));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("e2e.toml"), text).unwrap();
    std::os::unix::fs::symlink("nowhere/budgets.toml", folder.join("budgets.embedded.toml")).unwrap();
    let (folder, report) = (folder.display().to_string(), scene.report().display().to_string());
    let flags =
        ["--suite", &folder, "--cluster", "embedded", "--report-dir", &report, "--update-budgets", "r1::pod_kill"];
    let ended = scene.run(&scene.command(&flags));
    assert!(
        ended.stdout.contains("test result: ok. ") && scene.report().join("junit.xml").exists(),
        "{}",
        ended.told()
    );
    let told = "the reports are incomplete: could not update the budgets: writing ";
    assert!(ended.stderr.contains(told), "{}", ended.told());
    assert_eq!(ended.events.last().unwrap()["exit_code"], 3, "{}", ended.told());
    assert_eq!(ended.code, 3, "{}", ended.told());
}

/// Runs cases with reports that are written to a device on which every write fails as on a full disk.
fn on_a_full_disk(flags: &[&str]) -> Ended {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.report()).unwrap();
    for report in ["events.jsonl", "junit.xml", "report.html"] {
        std::os::unix::fs::symlink("/dev/full", scene.report().join(report)).unwrap();
    }
    let output = scene.embedded(flags).run().unwrap();
    scene.ended_without_events(output.status.code())
}
