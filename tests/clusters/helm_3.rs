//! A whole topology by helm 3, for a user who has that on PATH.

use std::path::Path;

use xtask::process::Launcher;
use xtask::tools::{self, Name};

use crate::scene::Scene;

/// The newest of helm 3 that is pinned.
const VERSION: &str = "3.17.3";

#[test]
fn one_replica_passes_every_case() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let launcher = Launcher::light(false);
    let resolved = runtime.block_on(tools::resolve_version(&launcher, Name::Helm, VERSION.parse().unwrap()));
    let helm = resolved.unwrap().path;
    let path = std::env::var("PATH").unwrap_or_default();
    let first = helm.parent().map(Path::display).unwrap();
    let scene = Scene { env: vec![("PATH", format!("{first}:{path}"))], ..Scene::new() };
    let ended = scene.run(&scene.embedded(&["--replicas", "1", "-v"]));
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stdout.contains(" passed; 0 failed; 0 ignored;"), "{}", ended.told());
    let used = |verb: &str| ended.stderr.contains(&format!("{} {verb} --kubeconfig ", helm.display()));
    assert!(used("install") && used("test") && used("rollback") && used("uninstall"), "{}", ended.told());
}
