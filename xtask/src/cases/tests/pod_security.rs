//! Which Pod Security Standard a topology's namespaces enforce.

use std::path::Path;

use crate::cases;
use suite::{PodSecurity, Suite, load};

const SUITE: &str = r#"
name = "shop"
pod_security = "baseline"

[[release]]
name = "db"
chart = "db"
namespace = "infra"
pod_security = "privileged"

[[release]]
name = "server"
chart = "server"

[image]
repository = "image"

[[topology]]
name = "one"
replicas = 1
cases = ["install", "uninstall"]

[[topology]]
name = "two"
replicas = 1
pod_security = "restricted"
cases = ["install", "uninstall"]
"#;

fn parse(text: &str) -> anyhow::Result<Suite> {
    load::parse(Path::new("e2e.toml"), text, &cases::kinds())
}

#[test]
fn a_release_overrides_its_topology_and_a_topology_the_suite() {
    let suite = parse(SUITE).unwrap();
    let level = |topology: usize, part: &str| suite.pod_security(&suite.topologies[topology], part);
    assert_eq!(level(0, ""), PodSecurity::Baseline);
    assert_eq!(level(1, ""), PodSecurity::Restricted);
    assert_eq!(level(1, "infra"), PodSecurity::Privileged);
}

#[test]
fn without_the_key_nothing_is_enforced() {
    let suite = parse(&SUITE.replace("pod_security = \"baseline\"\n", "")).unwrap();
    assert_eq!(suite.pod_security(&suite.topologies[0], ""), PodSecurity::Privileged);
}

#[test]
fn releases_in_one_namespace_need_the_same_level() {
    let text = SUITE
        .replace("chart = \"server\"\n", "chart = \"server\"\nnamespace = \"infra\"\npod_security = \"baseline\"\n");
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.starts_with("e2e.toml:15: "), "{error}");
    assert!(
        error.ends_with("releases `infra/db` and `infra/server` share a namespace: give them the same level"),
        "{error}"
    );
}

#[test]
fn an_unknown_level_names_the_known_ones() {
    let error = parse(&SUITE.replace("\"restricted\"", "\"strict\"")).unwrap_err().to_string();
    assert!(error.starts_with("e2e.toml:26: ") && error.contains("`privileged`, `baseline`, `restricted`"), "{error}");
}
