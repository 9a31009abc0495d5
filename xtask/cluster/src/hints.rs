//! What to do about the words with which kind fails.

/// Words of kind or Docker, and what they ask for.
const TABLE: [(&[&str], &str); 9] = [
    (
        &["failed to pull image"],
        "the node image can't be pulled: check the network, name one that Docker has with `--node-image`, or use \
         `--cluster embedded`",
    ),
    (
        &["unable to decode config"],
        "the file of `--kind-config` is not one of kind's: see https://kind.sigs.k8s.io/docs/user/configuration",
    ),
    (
        &["already exist for a cluster"],
        "a cluster of that name is there: `cargo xtask cluster list` shows what is left of earlier runs",
    ),
    (&["port is already allocated", "address already in use"], "a port of `--kind-config` is taken by something else"),
    (&["no space left on device"], "the disk is full: `docker system df` shows what takes it"),
    (
        &["too many open files", "could not find a log line that matches"],
        "the node did not boot, mostly for want of inotify instances: sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
    ),
    (&["permission denied while trying to connect"], "add the user to the group docker"),
    (&["cannot connect to the docker daemon"], "Docker went away: start its daemon"),
    (
        &["timed out waiting for the condition", "context deadline exceeded"],
        "the control plane did not come up: the exported logs hold the kubelet's journal",
    ),
];

/// The advice for what a command said; empty where it is new to us.
pub fn of(said: &str) -> &'static str {
    let said = said.to_ascii_lowercase();
    let found = TABLE.iter().find(|(words, _)| words.iter().any(|word| said.contains(word)));
    found.map_or("", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_failures_have_advice() {
        assert!(
            of("ERROR: failed to create cluster: failed to pull image \"kindest/node:v0.0.0\"")
                .contains("--node-image")
        );
        assert!(of("ERROR: failed to create cluster: unable to decode config: yaml").contains("--kind-config"));
        assert!(
            of("ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"rec\"")
                .contains("cluster list")
        );
        assert_eq!(of("something new"), "");
    }
}
