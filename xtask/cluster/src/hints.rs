//! Advice for known error messages of kind.

/// Parts of messages of kind or Docker, and the advice for them.
const TABLE: [(&[&str], &str); 9] = [
    (
        &["failed to pull image"],
        "the node image can't be pulled; check the network, pass one that Docker has with `--node-image`, or use \
         `--cluster embedded`",
    ),
    (
        &["unable to decode config"],
        "the file of `--kind-config` is not a kind configuration; see https://kind.sigs.k8s.io/docs/user/configuration",
    ),
    (
        &["already exist for a cluster"],
        "a cluster with this name exists; the subcommand `cluster list` lists what earlier runs left behind",
    ),
    (&["port is already allocated", "address already in use"], "a port of `--kind-config` is already in use"),
    (&["no space left on device"], "the disk is full; `docker system df` shows what uses it"),
    (
        &["too many open files", "could not find a log line that matches"],
        "the node did not boot, usually because of too few inotify instances; run sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
    ),
    (&["permission denied while trying to connect"], "permission denied; add the user to the group docker"),
    (&["cannot connect to the docker daemon"], "docker has stopped; start its daemon"),
    (
        &["timed out waiting for the condition", "context deadline exceeded"],
        "the control plane did not start; see the kubelet's journal in the exported logs",
    ),
];

/// Returns the advice for a command's output; empty if the message is unknown.
pub fn of(output: &str) -> &'static str {
    let output = output.to_ascii_lowercase();
    let found = TABLE.iter().find(|(words, _)| words.iter().any(|word| output.contains(word)));
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
