//! What service accounts may do: the stored roles, with kube-apiserver's messages.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use node::registry::rbac::AccessRequest;
use node::registry::tokens::TokenSpec;
use node::registry::user::User;
use reqwest::Method;
use serde_json::{Value, json};
use support::{Api, document};

const PODS: &str = "/api/v1/namespaces/default/pods";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
const CLUSTER_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const CLUSTER_ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const USER: &str = "system:serviceaccount:default:app";

/// Starts an API server with the service account `default/app`; also returns its token.
async fn start() -> (Api, String) {
    let api = Api::start();
    api.create("/api/v1/namespaces/default/serviceaccounts", &json!({"metadata": {"name": "app"}})).await;
    let spec = TokenSpec { expiration_s: 3600, ..TokenSpec::default() };
    let token = api.registry.issue_token(("default", "app"), spec);
    (api, token)
}

/// Sends a request of the service account.
async fn call(api: &Api, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let url = format!("https://{}{path}", api.address);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = api.client().request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    document(request.send().await.unwrap()).await
}

async fn refused(api: &Api, token: &str, method: &str, path: &str, body: Option<&Value>) -> String {
    let (code, answer) = call(api, token, method, path, body).await;
    assert_eq!((code, &answer["reason"]), (403, &json!("Forbidden")), "{method} {path}: {answer}");
    answer["message"].as_str().unwrap().to_owned()
}

async fn may(api: &Api, token: &str, method: &str, path: &str) -> bool {
    match call(api, token, method, path, None).await {
        (403, _) => false,
        (200 | 201, _) => true,
        (code, answer) => panic!("{method} {path}: {code} {answer}"),
    }
}

async fn bind(api: &Api, url: &str, name: &str, (kind, role): (&str, &str)) {
    let binding = json!({
        "metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "app"}],
    });
    api.create(url, &binding).await;
}

async fn role(api: &Api, url: &str, name: &str, rules: &Value) {
    api.create(url, &json!({"metadata": {"name": name}, "rules": rules})).await;
}

#[tokio::test]
async fn an_account_without_roles_has_no_access_to_objects() {
    let (api, token) = start().await;
    let table = [
        (
            "GET",
            PODS,
            r#"pods is forbidden: User "U" cannot list resource "pods" in API group "" in the namespace "default""#,
        ),
        (
            "GET",
            "/api/v1/pods",
            r#"pods is forbidden: User "U" cannot list resource "pods" in API group "" at the cluster scope"#,
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods?watch=true",
            r#"pods is forbidden: User "U" cannot watch resource "pods" in API group "" in the namespace "default""#,
        ),
        (
            "GET",
            "/api/v1/namespaces/default/secrets/a",
            r#"secrets "a" is forbidden: User "U" cannot get resource "secrets" in API group "" in the namespace "default""#,
        ),
        (
            "GET",
            "/api/v1/namespaces/default",
            r#"namespaces "default" is forbidden: User "U" cannot get resource "namespaces" in API group "" in the namespace "default""#,
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/default/deployments",
            r#"deployments.apps is forbidden: User "U" cannot deletecollection resource "deployments" in API group "apps" in the namespace "default""#,
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/a/log",
            r#"pods "a" is forbidden: User "U" cannot get resource "pods/log" in API group "" in the namespace "default""#,
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/a/exec?command=sh",
            r#"pods "a" is forbidden: User "U" cannot get resource "pods/exec" in API group "" in the namespace "default""#,
        ),
        ("GET", "/chartproof/report", r#"forbidden: User "U" cannot get path "/chartproof/report""#),
    ];
    for (method, path, expected) in table {
        assert_eq!(
            refused(&api, &token, method, path, None).await,
            expected.replace("\"U\"", &format!("\"{USER}\"")),
            "{path}"
        );
    }
    let volume = json!({"metadata": {"name": "v"}, "spec": {}});
    let message = refused(&api, &token, "POST", "/api/v1/persistentvolumes", Some(&volume)).await;
    assert!(
        message.ends_with(r#"cannot create resource "persistentvolumes" in API group "" at the cluster scope"#),
        "{message}"
    );
    assert_eq!(api.call("GET", "/api/v1/persistentvolumes/v", None).await.0, 404, "nothing was created");
}

#[tokio::test]
async fn every_account_may_discover_the_api_and_review_itself() {
    let (api, token) = start().await;
    for path in ["/api", "/apis", "/api/v1", "/apis/apps/v1", "/version", "/readyz", "/openapi/v3"] {
        assert_eq!(call(&api, &token, "GET", path, None).await.0, 200, "{path}");
    }
    let reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (code, answer) = call(&api, &token, "POST", reviews, Some(&json!({}))).await;
    assert_eq!((code, &answer["status"]["userInfo"]["username"]), (201, &json!(USER)));
    assert_eq!(call(&api, "another", "GET", "/api", None).await.0, 401);
}

#[tokio::test]
async fn a_role_applies_to_its_namespace_and_what_it_lists() {
    let (api, token) = start().await;
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "other"}})).await;
    let rules = json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "create"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["own"], "verbs": ["get", "list"]},
    ]);
    role(&api, ROLES, "some", &rules).await;
    assert!(!may(&api, &token, "GET", PODS).await, "a role without a binding");
    bind(&api, BINDINGS, "some", ("Role", "some")).await;
    assert!(may(&api, &token, "GET", PODS).await);
    assert!(!may(&api, &token, "GET", "/api/v1/pods").await);
    assert!(!may(&api, &token, "GET", "/api/v1/namespaces/other/pods").await);
    assert!(!may(&api, &token, "DELETE", PODS).await);
    let maps = "/api/v1/namespaces/default/configmaps";
    for name in ["own", "others"] {
        api.create(maps, &json!({"metadata": {"name": name}})).await;
    }
    assert!(may(&api, &token, "GET", &format!("{maps}/own")).await);
    assert!(!may(&api, &token, "GET", &format!("{maps}/others")).await);
    assert!(!may(&api, &token, "GET", maps).await);
    assert!(may(&api, &token, "GET", &format!("{maps}?fieldSelector=metadata.name%3Down")).await);
    api.call("DELETE", &format!("{BINDINGS}/some"), None).await;
    assert!(!may(&api, &token, "GET", PODS).await, "the binding is gone");
}

#[tokio::test]
async fn the_roles_that_charts_bind_to_exist() {
    let (api, token) = start().await;
    bind(&api, BINDINGS, "view", ("ClusterRole", "view")).await;
    assert!(may(&api, &token, "GET", PODS).await && !may(&api, &token, "GET", "/api/v1/pods").await);
    assert!(!may(&api, &token, "GET", "/api/v1/namespaces/default/secrets").await);
    bind(&api, BINDINGS, "edit", ("ClusterRole", "edit")).await;
    assert!(may(&api, &token, "GET", "/api/v1/namespaces/default/secrets").await);
    assert!(!may(&api, &token, "GET", ROLES).await);
    bind(&api, CLUSTER_BINDINGS, "all", ("ClusterRole", "cluster-admin")).await;
    assert!(may(&api, &token, "GET", "/api/v1/nodes").await && may(&api, &token, "GET", ROLES).await);
}

#[tokio::test]
async fn groups_and_aggregated_roles_apply() {
    let (api, token) = start().await;
    let rules = json!([{"apiGroups": ["*"], "resources": ["nodes"], "verbs": ["list"]}]);
    role(&api, CLUSTER_ROLES, "nodes", &rules).await;
    let binding = json!({
        "metadata": {"name": "all"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nodes"},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:serviceaccounts:default"}],
    });
    api.create(CLUSTER_BINDINGS, &binding).await;
    assert!(may(&api, &token, "GET", "/api/v1/nodes").await);
    let labels = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]);
    api.create(CLUSTER_ROLES, &json!({"metadata": {"name": "more", "labels": labels}, "rules": rules})).await;
    bind(&api, BINDINGS, "view", ("ClusterRole", "view")).await;
    assert!(may(&api, &token, "GET", "/api/v1/namespaces/default/secrets").await);
}

#[tokio::test]
async fn nobody_can_grant_permissions_they_do_not_have() {
    let (api, token) = start().await;
    let rules = json!([
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]);
    role(&api, ROLES, "granter", &rules).await;
    bind(&api, BINDINGS, "granter", ("Role", "granter")).await;
    let role = |name: &str, resource: &str| {
        let rules = json!([{"apiGroups": [""], "resources": [resource], "verbs": ["list"]}]);
        json!({"metadata": {"name": name}, "rules": rules})
    };
    assert_eq!(call(&api, &token, "POST", ROLES, Some(&role("held", "pods"))).await.0, 201);
    let message = refused(&api, &token, "POST", ROLES, Some(&role("more", "secrets"))).await;
    let expected = format!(
        "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"{USER}\" (groups=[\"system:serviceaccounts\" \
         \"system:serviceaccounts:default\" \"system:authenticated\"]) is attempting to grant RBAC permissions not \
         currently held:\n{{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"list\"]}}"
    );
    assert_eq!(message, expected);
    let patch = format!("https://{}{ROLES}/held", api.address);
    let patched = api.client().patch(patch).bearer_auth(&token).header("content-type", "application/merge-patch+json");
    let patched = patched.body(role("held", "secrets").to_string()).send().await.unwrap();
    assert_eq!(patched.status().as_u16(), 403);
    let binding = json!({
        "metadata": {"name": "more"}, "subjects": [{"kind": "ServiceAccount", "name": "app"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    });
    let message = refused(&api, &token, "POST", BINDINGS, Some(&binding)).await;
    assert!(message.contains("is attempting to grant RBAC permissions not currently held"), "{message}");
}

#[tokio::test]
async fn an_apply_that_creates_needs_the_create_permission() {
    let (api, token) = start().await;
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]);
    role(&api, ROLES, "patcher", &rules).await;
    bind(&api, BINDINGS, "patcher", ("Role", "patcher")).await;
    let url = format!("https://{}/api/v1/namespaces/default/configmaps/new?fieldManager=a", api.address);
    let apply = api.client().patch(url).bearer_auth(&token).header("content-type", "application/apply-patch+yaml");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}});
    let (code, answer) = document(apply.body(map.to_string()).send().await.unwrap()).await;
    assert_eq!(code, 403, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("cannot create resource \"configmaps\""), "{answer}");
}

#[tokio::test]
async fn a_review_reports_what_the_roles_allow() {
    let (api, token) = start().await;
    bind(&api, BINDINGS, "view", ("ClusterRole", "view")).await;
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    for (resource, verb, namespace, allowed) in
        [("pods", "list", "default", true), ("pods", "list", "", false), ("secrets", "list", "default", false)]
    {
        let attributes = json!({"resource": resource, "verb": verb, "namespace": namespace});
        let spec = json!({"spec": {"resourceAttributes": attributes}});
        let (code, answer) = call(&api, &token, "POST", reviews, Some(&spec)).await;
        assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(allowed)), "{spec}");
        let access = AccessRequest::Resource { verb, group: "", resource, name: "" };
        assert_eq!(api.registry.may(&User::of_account("default", "app"), namespace, &access), allowed);
    }
    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (_, answer) = call(&api, &token, "POST", rules, Some(&json!({"spec": {"namespace": "default"}}))).await;
    let message = answer["status"]["resourceRules"].to_string();
    assert!(message.contains("\"pods\"") && !message.contains("\"secrets\""), "{message}");
    let (_, answer) = api.call("POST", reviews, Some(&json!({"spec": {"nonResourceAttributes": {}}}))).await;
    assert_eq!(answer["status"]["allowed"], true, "the kubeconfig's user may do everything");
}

#[tokio::test]
async fn a_token_is_invalid_after_its_account_is_deleted() {
    let (api, token) = start().await;
    assert_eq!(call(&api, &token, "GET", "/api", None).await.0, 200);
    api.call("DELETE", "/api/v1/namespaces/default/serviceaccounts/app", None).await;
    assert_eq!(call(&api, &token, "GET", "/api", None).await.0, 401);
}
