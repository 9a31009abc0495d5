//! The examples that `--help` of some subcommands ends with.

/// For `cargo xtask e2e`.
pub const E2E: &str = "\
Examples:
  cargo xtask e2e                                  all cases of the default suite
  cargo xtask e2e --suite helm/caesium --list      the names of all cases of a suite
  cargo xtask e2e --exact caesium::r3::drain       one case, and the cases it depends on
  cargo xtask e2e --replicas 1 --keep              topologies with one replica; keep everything
  cargo xtask e2e --cluster context:NAME --allow-context NAME --image REF
                                                   on an existing cluster, in new namespaces

Exit codes: 0 all cases passed, 2 usage error, 3 the environment failed, 101 a case failed,
130 Ctrl-C, 143 SIGTERM";

/// For `cargo xtask init`.
pub const INIT: &str = "\
Examples:
  cargo xtask init helm/my-chart                   writes helm/my-chart/e2e.toml
  cargo xtask e2e --suite helm/my-chart            runs its cases

See docs/suite.md for all keys and cases.";

/// For `cargo xtask cluster up`.
pub const CLUSTER_UP: &str = "\
Example:
  cargo xtask cluster up                           prints `export KUBECONFIG=…`
  kubectl get nodes                                in another terminal, after that export
  cargo xtask e2e --cluster embedded --reuse       runs cases on this cluster";

/// For `cargo xtask check`.
pub const CHECK: &str = "\
Example:
  cargo xtask check target/chartproof/RUN/histories/caesium.r3.drain.jsonl

Exit codes: 0 all properties hold, 2 not a history, 101 a property is violated or undecided";
