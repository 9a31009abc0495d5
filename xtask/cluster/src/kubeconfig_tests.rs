//! Tests of a run's copy of a kubeconfig.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::existing::is_kinds;

const USERS: &str = r"
apiVersion: v1
kind: Config
current-context: production
contexts:
- {name: production, context: {cluster: big, user: admin}}
- {name: desktop, context: {cluster: small, user: me, namespace: default}}
clusters:
- {name: big, cluster: {server: 'https://big:6443'}}
- {name: small, cluster: {server: 'https://127.0.0.1:6443', certificate-authority: ca.crt}}
users:
- {name: admin, user: {token: production-secret}}
- {name: me, user: {token: desktop-secret}}
";

#[test]
fn the_copy_has_one_context_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let (users, copy) = (dir.path().join("config"), dir.path().join("kubeconfig"));
    std::fs::write(&users, USERS).unwrap();
    let kubeconfig = only(Kubeconfig::read_from(&users).unwrap(), "desktop").unwrap();
    write_private(&copy, &kubeconfig).unwrap();
    let text = std::fs::read_to_string(&copy).unwrap();
    assert!(text.contains("desktop-secret") && text.contains("https://127.0.0.1:6443"), "{text}");
    assert!(!text.contains("production") && !text.contains("big") && !text.contains("admin"), "{text}");
    let ca = dir.path().join("ca.crt");
    assert!(text.contains(&ca.display().to_string()), "relative paths have to stay valid: {text}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Kubeconfig::read_from(&copy).unwrap().current_context.as_deref(), Some("desktop"));
    assert_eq!(std::fs::read_to_string(&users).unwrap(), USERS, "the user's kubeconfig is never written");
}

#[test]
fn a_missing_context_is_reported_with_the_existing_ones() {
    let error = only(Kubeconfig::from_yaml(USERS).unwrap(), "nosuch").unwrap_err().to_string();
    assert_eq!(error, "the kubeconfig has no context nosuch; it has: production, desktop");
}

#[test]
fn contexts_of_kind_accept_archives() {
    assert!(is_kinds("kind-dev"));
    assert!(!is_kinds("docker-desktop") && !is_kinds("kind-chartproof-ab12"));
}
