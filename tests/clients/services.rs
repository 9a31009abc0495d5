//! Services: which pods are behind one at each moment, and by which names and from where it can be reached.

use super::client::{Client, Clients};
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("services::endpoints_follow_readiness", endpoints_follow_readiness),
    ("services::service_names_work_across_namespaces", service_names_work_across_namespaces),
    ("services::connections_take_turns", connections_take_turns),
    ("services::pods_can_reach_the_api", pods_can_reach_the_api),
];

/// Web servers behind a service that keep serving for a while after SIGTERM, and a client pod.
const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 20
      containers:
        - name: main
          image: caesiumcloud/caesium:v0.1.0
          args: [web, --linger, '15']
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /health/ready, port: http}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
";

const ASKER: &str = "
apiVersion: v1
kind: Pod
metadata: {name: asker}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: 'curlimages/curl:8.8.0', command: [sleep, '1000']}]
";

fn served(clients: &Clients, namespace: &str) -> Client {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &format!("{WEB}---{ASKER}"));
    kubectl.run("rollout status deployment/web --timeout=180s");
    kubectl.run("wait --for=condition=Ready pod/asker --timeout=180s");
    // A pod is ready shortly before it becomes an endpoint.
    kubectl.until(ENDPOINTS, |names| names.split_whitespace().count() == 2);
    kubectl
}

const ENDPOINTS: &str = "get endpoints web -o jsonpath={.subsets[*].addresses[*].targetRef.name}";

fn ask(kubectl: &Client, url: &str) -> String {
    kubectl.run(&format!("exec asker -- curl -sS --fail --max-time 10 {url}"))
}

fn endpoints_follow_readiness(clients: &Clients, namespace: &str) {
    let kubectl = served(clients, namespace);
    let both = kubectl.run(ENDPOINTS);
    let (one, other) = both.split_once(' ').unwrap();
    let ip = kubectl.run(&format!("get pod {one} -o jsonpath={{.status.podIP}}"));
    ask(&kubectl, &format!("-X POST http://{ip}:8080/switch/unready"));
    kubectl.until(ENDPOINTS, |names| names == other);
    let unready = "get endpointslices -o jsonpath={.items[*].endpoints[?(@.conditions.ready==false)].targetRef.name}";
    assert_eq!(kubectl.run(unready), one);
    assert!(ask(&kubectl, "http://web/version").contains(other));
    ask(&kubectl, &format!("-X POST http://{ip}:8080/switch/ready"));
    kubectl.until(ENDPOINTS, |names| names.contains(one) && names.contains(other));
    // It keeps serving until its grace period is over, but gets no new connections.
    kubectl.run(&format!("delete pod {one} --wait=false"));
    kubectl.until(ENDPOINTS, |names| !names.contains(one));
    assert!(kubectl.run("get pods").contains(one), "it is still there, and terminating");
    let is_terminating = format!("{{.items[*].endpoints[?(@.targetRef.name==\"{one}\")].conditions.terminating}}");
    assert_eq!(kubectl.run(&format!("get endpointslices -o jsonpath={is_terminating}")), "true");
    for _ in 0..4 {
        assert!(!ask(&kubectl, "http://web/version").contains(one));
    }
}

fn service_names_work_across_namespaces(clients: &Clients, namespace: &str) {
    let away = format!("{namespace}-away");
    served(clients, &away);
    let near = kubectl(clients, namespace);
    near.feed("apply -f -", &[], ASKER);
    near.run("wait --for=condition=Ready pod/asker --timeout=180s");
    for name in [format!("web.{away}"), format!("web.{away}.svc"), format!("web.{away}.svc.cluster.local")] {
        assert!(ask(&near, &format!("http://{name}/version")).contains("\"pod\":\"web-"), "{name}");
    }
    let unknown = near.fail("exec asker -- curl -sS http://web/version", "");
    assert!(
        unknown.contains("Could not resolve host: web"),
        "a bare name refers to the pod's own namespace: {unknown}"
    );
    near.feed("apply -f -", &[], &WEB.replace("replicas: 2", "replicas: 0"));
    let refused = near.fail("exec asker -- curl -sS --max-time 10 http://web/version", "");
    assert!(refused.contains("curl: (7)"), "no pod behind it: {refused}");
}

fn connections_take_turns(clients: &Clients, namespace: &str) {
    let kubectl = served(clients, namespace);
    kubectl.run("scale deployment/web --replicas=3");
    kubectl.run("rollout status deployment/web --timeout=180s");
    kubectl.until(ENDPOINTS, |names| names.split_whitespace().count() == 3);
    let mut answered: Vec<String> = (0..6).map(|_| ask(&kubectl, "http://web/version")).collect();
    answered.sort();
    assert!(answered.chunks(2).all(|pair| pair[0] == pair[1]), "each pod twice: {answered:?}");
    answered.dedup();
    assert_eq!(answered.len(), 3, "{answered:?}");
}

/// As client libraries do inside a cluster: the service `kubernetes`, the mounted token and certificate.
fn pods_can_reach_the_api(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], ASKER);
    kubectl.run("wait --for=condition=Ready pod/asker --timeout=180s");
    let endpoint = clients
        .kubectl
        .run("get endpoints kubernetes -o jsonpath={.subsets[0].addresses[0].ip}:{.subsets[0].ports[0].port}");
    assert_eq!(endpoint, "10.244.0.1:6443");
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let authorization = format!("Authorization: Bearer $(cat {account}/token)");
    for server in ["kubernetes.default.svc", "$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT", &endpoint] {
        let url = format!("https://{server}/api/v1/namespaces/$(cat {account}/namespace)/pods/asker");
        let script = format!("curl -sS --cacert {account}/ca.crt -H \"{authorization}\" {url}");
        let answer = kubectl.feed("exec asker -- sh -c", &[&script], "");
        if server == "kubernetes.default.svc" {
            let expected =
                format!("cannot get resource \\\"pods\\\" in API group \\\"\\\" in the namespace \\\"{namespace}\\\"");
            assert!(answer.contains(&expected), "a pod's token may do nothing until a role is bound to it: {answer}");
            kubectl.run(&format!("create rolebinding reads --clusterrole=view --serviceaccount={namespace}:default"));
        }
        let answer = kubectl.feed("exec asker -- sh -c", &[&script], "");
        assert!(answer.contains("\"kind\":\"Pod\"") && answer.contains("\"name\":\"asker\""), "{server}: {answer}");
    }
    let review =
        format!("curl -sS --cacert {account}/ca.crt -H 'Authorization: Bearer wrong' https://kubernetes.default/api");
    assert!(kubectl.feed("exec asker -- sh -c", &[&review], "").contains("Unauthorized"));
    let who = format!(
        "curl -sS --cacert {account}/ca.crt -H \"{authorization}\" -H 'Content-Type: application/json' -X POST \
         -d '{{}}' https://kubernetes.default/apis/authentication.k8s.io/v1/selfsubjectreviews"
    );
    let told = kubectl.feed("exec asker -- sh -c", &[&who], "");
    assert!(told.contains(&format!("system:serviceaccount:{namespace}:default")), "{told}");
}
