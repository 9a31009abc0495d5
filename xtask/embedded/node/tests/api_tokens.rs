//! Tokens and reviews: who a caller is and what it may do, as charts and clients ask it.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use serde_json::{Value, json};
use support::{Api, document};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const PODS: &str = "/api/v1/namespaces/default/pods";
const TOKEN_REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

async fn start() -> Api {
    let api = Api::start();
    api.create(ACCOUNTS, &json!({"metadata": {"name": "app"}})).await;
    api
}

/// Returns the response to a request for a token of `default/app`.
async fn request(api: &Api, spec: Value) -> (u16, Value) {
    api.call("POST", &format!("{ACCOUNTS}/app/token"), Some(&json!({ "spec": spec }))).await
}

/// Returns a token of `default/app`.
async fn token(api: &Api, spec: Value) -> String {
    let (code, answer) = request(api, spec).await;
    assert_eq!(code, 201, "{answer}");
    answer["status"]["token"].as_str().unwrap().to_owned()
}

/// Returns the status of a `TokenReview`.
async fn review(api: &Api, token: &str, audiences: &[&str]) -> Value {
    let spec = json!({"spec": {"token": token, "audiences": audiences}});
    api.create(TOKEN_REVIEWS, &spec).await["status"].clone()
}

/// Returns the code of a request that every authenticated user may make.
async fn code(api: &Api, token: &str) -> u16 {
    let url = format!("https://{}/api", api.address);
    document(api.client().get(url).bearer_auth(token).send().await.unwrap()).await.0
}

#[tokio::test]
async fn a_token_for_the_api_is_accepted_and_reviewed() {
    let api = start().await;
    let (_, answer) = request(&api, json!({})).await;
    let issuer = "https://kubernetes.default.svc.cluster.local";
    assert_eq!(answer["spec"], json!({"audiences": [issuer], "expirationSeconds": 3600, "boundObjectRef": null}));
    let token = answer["status"]["token"].as_str().unwrap();
    assert_eq!(code(&api, token).await, 200);
    let status = review(&api, token, &[]).await;
    assert_eq!((&status["authenticated"], &status["audiences"]), (&json!(true), &json!([issuer])), "{status}");
    assert_eq!(status["user"]["username"], "system:serviceaccount:default:app");
    let groups = json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]);
    assert_eq!(status["user"]["groups"], groups);
    let stranger = review(&api, "nosuch", &[]).await;
    assert_eq!(stranger, json!({"user": {}, "error": "invalid bearer token"}));
    let refused = api.call("POST", TOKEN_REVIEWS, Some(&json!({"spec": {}}))).await;
    assert_eq!(refused.1["message"], "token is required for TokenReview in authentication");
}

#[tokio::test]
async fn a_token_for_another_audience_is_not_accepted_by_the_api() {
    let api = start().await;
    let token = token(&api, json!({"audiences": ["vault"]})).await;
    assert_eq!(code(&api, &token).await, 401);
    assert_eq!(review(&api, &token, &["vault", "other"]).await["audiences"], json!(["vault"]));
    let error = review(&api, &token, &["other"]).await["error"].clone();
    assert_eq!(
        error,
        "[invalid bearer token, token audiences [\"vault\"] is invalid for the target audiences [\"other\"]]"
    );
}

#[tokio::test]
async fn lifetimes_have_limits() {
    let api = start().await;
    for (seconds, why) in [
        (599, "may not specify a duration less than 10 minutes"),
        ((1_i64 << 32) + 1, "may not specify a duration larger than 2^32 seconds"),
    ] {
        let (code, answer) = request(&api, json!({"expirationSeconds": seconds})).await;
        let cause = format!("Invalid value: {seconds}: {why}");
        assert_eq!((code, &answer["details"]["causes"][0]["message"]), (422, &json!(cause)), "{answer}");
    }
    assert_eq!(request(&api, json!({"expirationSeconds": 600})).await.0, 201);
    let missing = api.call("POST", &format!("{ACCOUNTS}/nosuch/token"), Some(&json!({"spec": {}}))).await;
    assert_eq!(missing.1["message"], "serviceaccounts \"nosuch\" not found");
}

#[tokio::test]
async fn a_token_bound_to_a_pod_ends_with_it() {
    let api = start().await;
    let pod = |name: &str, account: &str| {
        let spec = json!({"serviceAccountName": account, "containers": [{"name": "main", "image": "i"}]});
        json!({"metadata": {"name": name}, "spec": spec})
    };
    api.create(PODS, &pod("mine", "app")).await;
    api.create(PODS, &pod("other", "default")).await;
    let bound = |name: &str, uid: &str| json!({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": name, "uid": uid}});
    let table = [
        (bound("nosuch", ""), 404, "pods \"nosuch\" not found"),
        (
            bound("other", ""),
            400,
            "cannot bind token for serviceaccount \"app\" to pod running with different serviceaccount name.",
        ),
        (
            bound("mine", "another"),
            409,
            "Operation cannot be fulfilled on pods \"mine\": the UID in the bound object reference (another) does not \
             match the UID in record. The object might have been deleted and then recreated",
        ),
    ];
    for (spec, code, message) in table {
        let (got, answer) = request(&api, spec).await;
        assert_eq!((got, answer["message"].as_str().unwrap()), (code, message));
    }
    let token = token(&api, bound("mine", "")).await;
    let extra = &review(&api, &token, &[]).await["user"]["extra"];
    assert_eq!(extra["authentication.kubernetes.io/pod-name"], json!(["mine"]), "{extra}");
    assert_eq!(code(&api, &token).await, 200);
    api.call("DELETE", &format!("{PODS}/mine"), None).await;
    assert_eq!(code(&api, &token).await, 401);
    let error = review(&api, &token, &[]).await["error"].clone();
    assert_eq!(error, "[invalid bearer token, service account token has been invalidated]");
}

#[tokio::test]
async fn access_reviews_judge_any_user() {
    let api = start().await;
    let attributes = |verb: &str| json!({"namespace": "default", "verb": verb, "resource": "pods"});
    let allowed = async |spec: Value| api.create(REVIEWS, &json!({ "spec": spec })).await["status"]["allowed"].clone();
    let of = |user: &str, verb: &str| json!({"user": user, "resourceAttributes": attributes(verb)});
    assert_eq!(allowed(of("somebody", "list")).await, false);
    let everything = json!({"groups": ["system:masters"], "user": "root", "resourceAttributes": attributes("delete")});
    assert_eq!(allowed(everything).await, true);
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
    let subject = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "somebody"});
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    api.create(bindings, &json!({"metadata": {"name": "v"}, "roleRef": role, "subjects": [subject]})).await;
    assert_eq!(allowed(of("somebody", "list")).await, true);
    assert_eq!(allowed(of("somebody", "delete")).await, false);
    let health = json!({"user": "x", "groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/healthz", "verb": "get"}});
    assert_eq!(allowed(health).await, true, "system:public-info-viewer");
    let (code, answer) = api.call("POST", REVIEWS, Some(&json!({"spec": {"resourceAttributes": {}}}))).await;
    assert_eq!(code, 422, "{answer}");
    let local = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
    assert_eq!(api.create(local, &json!({"spec": of("somebody", "list")})).await["status"]["allowed"], true);
    let mut elsewhere = of("somebody", "list");
    elsewhere["resourceAttributes"]["namespace"] = "kube-system".into();
    assert_eq!(api.call("POST", local, Some(&json!({ "spec": elsewhere }))).await.0, 422);
}

#[tokio::test]
async fn only_those_who_may_delegate_may_review_others() {
    let api = start().await;
    let token = token(&api, json!({})).await;
    let post = async || {
        let url = format!("https://{}{REVIEWS}", api.address);
        let spec = json!({"spec": {"user": "x", "nonResourceAttributes": {"path": "/", "verb": "get"}}});
        let request = api.client().post(url).bearer_auth(&token).header("content-type", "application/json");
        document(request.body(spec.to_string()).send().await.unwrap()).await
    };
    let (code, answer) = post().await;
    let expected = "subjectaccessreviews.authorization.k8s.io is forbidden: User \"system:serviceaccount:default:app\" \
                    cannot create resource \"subjectaccessreviews\" in API group \"authorization.k8s.io\" at the \
                    cluster scope";
    assert_eq!((code, answer["message"].as_str().unwrap()), (403, expected));
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"});
    let subject = json!({"kind": "ServiceAccount", "namespace": "default", "name": "app"});
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    api.create(bindings, &json!({"metadata": {"name": "d"}, "roleRef": role, "subjects": [subject]})).await;
    assert_eq!(post().await.0, 201);
}
