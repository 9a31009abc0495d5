//! A failed run of a chart that prints its secrets wherever it can: nothing that the run wrote contains any of them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::scene::Scene;

/// In a Secret, twice; in the environment of a container; in its command line; in its log; in the run's own
/// environment, three times: under a revealing name, behind an escaped comma, under an ordinary name.
const PLANTED: [&str; 8] = [
    "swordfish-of-the-north",
    "tortoise-of-the-south",
    "walrus-of-the-east",
    "ostrich-of-the-west",
    "penguin-of-the-pole",
    "pelican-of-the-shore",
    "badger-of-the-wood",
    "heron-of-the-marsh",
];

#[test]
fn nothing_that_a_failed_run_wrote_contains_a_secret() {
    let scene = Scene::new();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/leaky/e2e.toml").display().to_string();
    let report = scene.report().display().to_string();
    let flags = ["--suite", &suite, "--cluster", "embedded", "--report-dir", &report, "--timeout", "20"];
    let flags = [&flags, ["--set", "apiToken=pelican-of-the-shore"].as_slice()].concat();
    let flags =
        [&flags, ["--set", "auth.pass=a\\,badger-of-the-wood", "--set", "word=heron-of-the-marsh"].as_slice()].concat();
    let ended = scene.run(&scene.command(&flags));
    assert_eq!(ended.red(), ["leaky::r1::ready"], "{}", ended.told());
    let message = ended.message("leaky::r1::ready");
    for told in
        ["log of main: REDACTED and REDACTED", "Readiness probe failed: not with REDACTED", "  Pod/leaky-0: Running"]
    {
        assert!(message.contains(told), "{told:?} is missing in: {message}");
    }
    let mut files = vec![scene.folder.path().join("stdout"), scene.folder.path().join("stderr")];
    walk(&scene.report(), &mut files);
    for kind in ["logs/leaky-0", "describe.txt", "Secret.leaky.json", "manifests.yaml", "cluster-logs", "commands"] {
        let found = files.iter().any(|file| file.display().to_string().contains(kind));
        assert!(found, "no {kind} was kept, so this test proves nothing; {}", ended.told());
    }
    let found: Vec<_> = files.iter().flat_map(|file| leaks(file, &PLANTED)).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_password_in_a_command_is_not_written_even_if_the_command_repeats_it() {
    let scene = Scene::new();
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/everything/database").canonicalize().unwrap();
    let suite = std::fs::read_to_string(chart.join("e2e.toml")).unwrap();
    let suite = suite.replace("chart = \".\"", &format!("chart = {:?}", chart.display().to_string()));
    let secret = "${secret:postgres-credentials/postgres-password}";
    let (before, rest) = suite.split_once("[records.write]\n").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let script = format!("echo denied {secret}; echo denied {secret} >&2; exit 1");
    let suite = format!("{before}[records.write]\nrequest = {{ exec = [\"sh\", \"-c\", {script:?}] }}\n{after}");
    let file = scene.folder.path().join("suite.toml");
    std::fs::write(&file, suite).unwrap();
    let (suite, report) = (file.display().to_string(), scene.report().display().to_string());
    let flags = ["--suite", &suite, "--cluster", "embedded", "--report-dir", &report, "--exact"];
    let ended = scene.run(&scene.command(&[&flags, ["database::r1::write_read"].as_slice()].concat()));
    assert_eq!(ended.red(), ["database::r1::write_read"], "{}", ended.told());
    let message = ended.message("database::r1::write_read");
    let told = "status 1 instead of 0: denied REDACTED (stderr: denied REDACTED)";
    assert!(message.contains(told), "{told:?} is missing in: {message}");
    let mut files = vec![scene.folder.path().join("stdout"), scene.folder.path().join("stderr")];
    walk(&scene.report(), &mut files);
    let found: Vec<_> = files.iter().flat_map(|file| leaks(file, &["correct-horse-battery"])).collect();
    assert_eq!(found, [""; 0]);
}

/// Returns the lines of a file that contain a secret, plain or in base64.
fn leaks(file: &Path, planted: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let encoded = |secret: &str| (0..3).map(|at| STANDARD.encode(&secret[at..at + 12])).collect::<Vec<_>>();
    let secrets = planted.iter().flat_map(|secret| [vec![(*secret).to_owned()], encoded(secret)].concat());
    let secrets: Vec<_> = secrets.collect();
    let leaky = |line: &&str| secrets.iter().any(|secret| line.contains(secret.as_str()));
    text.lines().filter(leaky).map(|line| format!("{}: {line}", file.display())).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
