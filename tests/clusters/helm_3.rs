//! Runs with helm 3, for users who have helm 3 on PATH.

use std::path::Path;

use process::Launcher;
use tools::{self, Name};

use crate::scene::Scene;

/// The latest pinned version of helm 3.
const VERSION: &str = "3.17.3";

#[test]
fn one_replica_passes_every_case() {
    let used = passes(&["--replicas", "1"]);
    for verb in ["install", "test", "rollback", "uninstall"] {
        assert!(used.contains(&format!(" {verb} --kubeconfig ")), "{verb}: {used}");
    }
}

/// helm 4 calls this `--rollback-on-failure`.
#[test]
fn a_bad_release_is_rolled_back() {
    let web_service = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/web-service").display().to_string();
    let used = passes(&["--suite", &web_service, "--exact", "volaticloud::r3::bad_release_rolls_back"]);
    assert!(used.contains(" --atomic "), "{used}");
}

/// Runs cases, all of which have to pass; returns the command lines of helm 3.
fn passes(args: &[&str]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let launcher = Launcher::light(false);
    let resolved = runtime.block_on(tools::resolve_version(&launcher, Name::Helm, VERSION.parse().unwrap()));
    let helm = resolved.unwrap().path;
    let path = std::env::var("PATH").unwrap_or_default();
    let first = helm.parent().map(Path::display).unwrap();
    let scene = Scene { env: vec![("PATH", format!("{first}:{path}"))], ..Scene::new() };
    let ended = scene.run(&scene.embedded(&[args, &["-v"]].concat()));
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stdout.contains(" passed; 0 failed; 0 ignored;"), "{}", ended.told());
    let own = helm.display().to_string();
    ended.stderr.lines().filter(|line| line.contains(&own)).collect::<Vec<_>>().join("\n")
}
