//! The chart's whole life, with helm 3 and helm 4: with one and three replicas, with and without disks, with and
//! without
//! `--wait`, in every combination.

use super::client::{Client, Clients};
use super::{Case, kubectl, repository};

/// Defines a case for one combination.
macro_rules! life {
    ($name:literal, $helm:ident, $replicas:literal, disks: $disks:literal, waits: $waits:literal) => {
        ($name, |clients, namespace| {
            let way = Way { replicas: $replicas, disks: $disks, waits: $waits };
            live(clients, &clients.$helm, namespace, &way);
        })
    };
}

/// The longest first: all of them start as soon as they can.
pub const CASES: &[Case] = &[
    life!("helm_3::three_with_disks_waiting", helm_3, 3, disks: true, waits: true),
    life!("helm_3::three_with_disks", helm_3, 3, disks: true, waits: false),
    life!("helm_4::three_with_disks_waiting", helm_4, 3, disks: true, waits: true),
    life!("helm_4::three_with_disks", helm_4, 3, disks: true, waits: false),
    life!("helm_3::three_without_disks_waiting", helm_3, 3, disks: false, waits: true),
    life!("helm_3::three_without_disks", helm_3, 3, disks: false, waits: false),
    life!("helm_4::three_without_disks_waiting", helm_4, 3, disks: false, waits: true),
    life!("helm_4::three_without_disks", helm_4, 3, disks: false, waits: false),
    life!("helm_3::one_with_a_disk_waiting", helm_3, 1, disks: true, waits: true),
    life!("helm_3::one_with_a_disk", helm_3, 1, disks: true, waits: false),
    life!("helm_4::one_with_a_disk_waiting", helm_4, 1, disks: true, waits: true),
    life!("helm_4::one_with_a_disk", helm_4, 1, disks: true, waits: false),
    life!("helm_3::one_without_a_disk_waiting", helm_3, 1, disks: false, waits: true),
    life!("helm_3::one_without_a_disk", helm_3, 1, disks: false, waits: false),
    life!("helm_4::one_without_a_disk_waiting", helm_4, 1, disks: false, waits: true),
    life!("helm_4::one_without_a_disk", helm_4, 1, disks: false, waits: false),
];

/// How the chart is deployed.
struct Way {
    replicas: usize,
    disks: bool,
    waits: bool,
}

impl Way {
    fn flags(&self) -> String {
        let topology = match (self.replicas, self.disks) {
            (1, _) => "r1",
            (_, true) => "r3",
            (_, false) => "r3-ephemeral",
        };
        let values = format!("--values {}", repository(&format!("helm/caesium/ci/{topology}-values.yaml")));
        let waits = if self.waits { " --wait --timeout 240s" } else { "" };
        format!("{values} --set persistence.enabled={}{waits}", self.disks)
    }

    /// Returns what an upgrade changes, and how to see it with kubectl. Three replicas that lose their disks with their
    /// pods may only be replaced as fast as the application demotes dead ones; for those, the change touches no pod.
    fn change(&self) -> (&'static str, &'static str) {
        if self.replicas == 3 && !self.disks {
            return (
                "podDisruptionBudget.enabled=true",
                "get poddisruptionbudget -o jsonpath={.items[*].metadata.name}",
            );
        }
        let level = r#"get pod caesium-0 -o jsonpath={.spec.containers[0].env[?(@.name=="CAESIUM_LOG_LEVEL")].value}"#;
        ("config.logLevel=debug", level)
    }
}

fn live(clients: &Clients, helm: &Client, namespace: &str, way: &Way) {
    let (helm, kubectl) = (helm.within(namespace), kubectl(clients, namespace));
    let (chart, flags) = (repository("helm/caesium"), way.flags());
    let ready = || {
        if !way.waits {
            kubectl.run("rollout status statefulset/caesium --timeout=180s");
        }
        let counts =
            kubectl.run("get statefulset caesium -o jsonpath={.status.readyReplicas}/{.status.updatedReplicas}");
        assert_eq!(counts, format!("{0}/{0}", way.replicas), "ready and of the newest revision");
    };
    helm.run(&format!("install caesium {chart} {flags}"));
    ready();
    let tested = helm.run("test caesium --logs --timeout 240s");
    assert!(tested.contains("Succeeded") && tested.contains("POD LOGS: caesium-test-connection"), "{tested}");
    assert!(tested.contains(r#"{"status":"healthy""#), "what the test's pod printed: {tested}");
    let (change, seen) = way.change();
    let before = kubectl.run(seen);
    helm.run(&format!("upgrade caesium {chart} {flags} --set {change}"));
    ready();
    assert_ne!(kubectl.run(seen), before, "{change}");
    let waits = if way.waits { "--wait --timeout 240s" } else { "" };
    helm.run(&format!("rollback caesium 1 {waits}"));
    ready();
    assert_eq!(kubectl.run(seen), before, "{change}");
    tells(&helm, namespace);
    helm.run("uninstall caesium --wait --timeout 240s");
    is_gone(&kubectl, way);
}

fn tells(helm: &Client, namespace: &str) {
    let status = helm.run("status caesium");
    assert!(status.contains("STATUS: deployed") && status.contains("REVISION: 3"), "{status}");
    let listed: serde_json::Value = serde_json::from_str(&helm.run("list -o json")).unwrap();
    let row = [&listed[0]["name"], &listed[0]["namespace"], &listed[0]["revision"], &listed[0]["status"]];
    assert_eq!(row, ["caesium", namespace, "3", "deployed"], "{listed}");
    let history = helm.run("history caesium");
    assert!(history.contains("Rollback to 1"), "{history}");
}

/// Checks that only the claims and the test's pod are left, which helm keeps.
fn is_gone(kubectl: &Client, way: &Way) {
    kubectl.until("get pods -o name", |left| left.trim() == "pod/caesium-test-connection");
    let owned = kubectl.run("get statefulset,service,configmap,secret,poddisruptionbudget,ingress -o name");
    assert_eq!(owned, "configmap/kube-root-ca.crt\n");
    let claims = kubectl.run("get persistentvolumeclaims -o name").lines().count();
    assert_eq!(claims, if way.disks { way.replicas } else { 0 });
}
