//! The installed command, in a folder with nothing but a chart and its suite file. The workspace is hidden, and so is cargo.

use std::path::{Path, PathBuf};

use images::standin;
use process::Launcher;

use crate::command::command;
use crate::scene::{Scene, suite};

/// Hides the folder `$0`, and runs the words after it.
const HIDE: &str = "mount -t tmpfs none \"$0\" && exec \"$@\"";
/// Without cargo, which is in its users' homes.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn a_chart_is_proven_without_the_workspace() {
    let mut scene = Scene::new();
    scene.env = vec![("PATH", PATH.to_owned()), ("CARGO", "/nonexistent/cargo".to_owned())];
    let chartproof = install(&scene, &["chartproof", "embedded-node"]);
    let archive = prepare(&scene);
    let words = ["e2e", "--suite", "caesium", "--image", &archive, "--cluster", "embedded", "--report-dir", "report"];
    let run = hidden(&scene, &chartproof, &[&words[..], &["caesium::r1::pod_kill"]].concat());
    let ended = scene.run(&run);
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(ended.verdict("caesium::r1::pod_kill"), Some("passed"), "{}", ended.told());
    let client = ended.events.iter().any(|event| event.to_string().contains("chartproof/client:"));
    assert!(client, "the installed harness is the client in the cluster: {}", ended.told());
}

#[test]
fn a_missing_program_is_named_before_anything_is_created() {
    let scene = Scene::new();
    let chartproof = install(&scene, &["chartproof"]);
    let words = ["e2e", "--suite", &suite().display().to_string(), "--cluster", "embedded", "--report-dir", "report"];
    let ended = scene.run(&redirected(&scene, &scene.program(&chartproof, &words)));
    assert_eq!(ended.code, 3, "{}", ended.told());
    let expected =
        format!("embedded-node is not installed in {}/bin, next to chartproof", scene.folder.path().display());
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("install Chartproof's package `node`"), "{}", ended.stderr);
}

#[test]
fn an_installed_harness_calls_itself_by_its_name() {
    let scene = Scene::new();
    let chartproof = install(&scene, &["chartproof"]);
    for words in [&["--help"][..], &["e2e", "--help"], &["cluster", "up", "--help"], &["--version"]] {
        let help = scene.program(&chartproof, words).stdout_capture().run().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains("chartproof") && !help.contains("cargo xtask"), "{words:?}: {help}");
    }
}

/// Copies programs of the workspace into a folder `bin`, as `cargo install` does, and returns the path of the harness.
fn install(scene: &Scene, programs: &[&str]) -> String {
    let (bin, built) = (scene.folder.path().join("bin"), Path::new(env!("CARGO_BIN_EXE_chartproof")));
    std::fs::create_dir(&bin).unwrap();
    for program in programs {
        let from = if *program == "chartproof" { built.to_owned() } else { compiled(program) };
        std::fs::copy(from, bin.join(program)).unwrap();
    }
    bin.join("chartproof").display().to_string()
}

fn compiled(program: &str) -> PathBuf {
    let launcher = Launcher::light(false);
    tokio::runtime::Runtime::new().unwrap().block_on(images::program(&launcher, program)).unwrap().executable
}

/// Copies the chart into the scene, and the image under test, whose archive's path it returns.
fn prepare(scene: &Scene) -> String {
    let chart = suite().parent().unwrap().display().to_string();
    command("cp", ["-r", &chart, &scene.folder.path().display().to_string()]).run().unwrap();
    let (launcher, reference) = (Launcher::light(false), "chartproof/stand-in:dev".parse().unwrap());
    let built = standin::build(&launcher, "/bin/caesium", std::slice::from_ref(&reference));
    let built = tokio::runtime::Runtime::new().unwrap().block_on(built).unwrap();
    std::fs::copy(built.path, scene.folder.path().join("stand-in.tar")).unwrap();
    "stand-in.tar".to_owned()
}

/// Returns a call of the harness for which the workspace is an empty folder; only root can hide it.
fn hidden(scene: &Scene, chartproof: &str, words: &[&str]) -> duct::Expression {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().display().to_string();
    let hide = ["unshare", "--mount", "sh", "-c", HIDE, &workspace];
    let is_root = rustix::process::geteuid().is_root();
    let words = [if is_root { &hide[..] } else { &[] }, &[chartproof], words].concat();
    redirected(scene, &scene.program(words[0], &words[1..]))
}

fn redirected(scene: &Scene, call: &duct::Expression) -> duct::Expression {
    let folder = scene.folder.path();
    call.stdout_path(folder.join("stdout")).stderr_path(folder.join("stderr"))
}
