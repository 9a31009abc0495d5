//! What a run has left behind on this machine: processes, mounts, its cluster's folder, leases.

use std::fs;
use std::path::PathBuf;

use crate::scene::Scene;

/// Returns the leases of a scene's runs.
pub fn leases(scene: &Scene) -> Vec<PathBuf> {
    let folder = scene.folder.path().join("state/chartproof/leases");
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json")).collect()
}

/// Describes everything that is left. Every process of a run has the scene's folder in its command line, in its
/// environment, or as its working directory.
pub fn left_behind(scene: &Scene) -> Vec<String> {
    let folder = scene.folder.path().display().to_string();
    let mut left = processes(&folder);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    left.extend(mounts.lines().filter(|line| line.contains(&folder)).map(|line| format!("mount {line}")));
    let clusters = ["report/cluster", "again/cluster"].map(|cluster| scene.folder.path().join(cluster));
    left.extend(clusters.iter().filter(|path| path.exists()).map(|path| format!("folder {}", path.display())));
    left.extend(leases(scene).iter().map(|path| format!("lease {}", path.display())));
    left
}

fn processes(folder: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let is_of_the_scene = |process: &PathBuf| {
        let holds =
            |file: &str| String::from_utf8_lossy(&fs::read(process.join(file)).unwrap_or_default()).contains(folder);
        let inside = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        // A process that has ended but has not been waited for has neither.
        holds("cmdline") || holds("environ") || inside
    };
    let numbered = entries.filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().parse::<u32>().is_ok()));
    let found = numbered.filter(is_of_the_scene);
    found
        .map(|path| {
            format!("process {} {}", path.display(), fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        })
        .collect()
}
