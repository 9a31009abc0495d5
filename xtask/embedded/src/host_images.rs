//! The images that a node can serve from the host's own programs, without an archive. The runtime serves them; a test
//! of the package `node` compares the two.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Repositories, each with the programs that the host needs.
const SERVED: [(&str, &[&str]); 2] =
    [("docker.io/library/busybox", &["sh"]), ("docker.io/curlimages/curl", &["sh", "curl"])];

/// Returns whether a node on this host serves the images of a repository, under any tag: `docker.io/library/busybox`.
/// The host never serves an image that is named by its digest.
pub fn host_serves(repository: &str) -> bool {
    let served = SERVED.iter().find(|(name, _)| *name == repository);
    served.is_some_and(|(_, programs)| programs.iter().all(|program| is_on_host(program)))
}

/// Returns whether the host has a program where a container would look for it.
fn is_on_host(program: &str) -> bool {
    let is_executable =
        |path: &Path| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| is_executable(&Path::new(folder).join(program)))
}
