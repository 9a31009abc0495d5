//! A machine with neither root nor user namespaces.

use crate::who::{Who, open_folder};

/// Forbids user namespaces inside the caller's own, and drops every privilege in it.
const FORBID: &str = "echo 0 > /proc/sys/user/max_user_namespaces && \
    exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs \"$@\"";

pub fn is_named(who: &Who) {
    let folder = open_folder();
    let within = ["unshare", "--user", "--map-root-user", "sh", "-c", FORBID, "sh"];
    let run = who.wrapped(&within, folder.path(), &["cluster", "up"]).stdout_capture().stderr_capture().run().unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(3), "the environment failed: {told}");
    assert!(
        told.contains("user.max_user_namespaces is 0; run `sysctl -w user.max_user_namespaces=15000` as root"),
        "{told}"
    );
    assert!(run.stdout.is_empty(), "no kubeconfig");
}
