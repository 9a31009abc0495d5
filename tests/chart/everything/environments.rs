//! The environments of the documentation: replicas, dependencies and resources of each service.

use serde_json::Value;

use super::{CUSTOMER, ORDER, SERVER, SERVICES, database, deployed};
use crate::helm::{Chart, Render};
use crate::manifests::{Manifests, at};
use crate::pod_security;

/// A release of the infrastructure, with the documented values.
fn infrastructure(chart: Chart, namespace: &str, release: &str) -> Render {
    let values = SERVER.path().join(format!("../values/{namespace}/{release}.yaml"));
    chart.render().release(release).file(&values)
}

fn workload(render: &Render) -> Value {
    let rendered = render.manifests();
    rendered.find("Deployment").unwrap_or_else(|| rendered.get("StatefulSet")).clone()
}

fn variable(workload: &Value, name: &str) -> String {
    let value = at(workload, &format!("spec.template.spec.containers[0].env[{name}].value"));
    value.as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn replicas(workload: &Value) -> u64 {
    at(workload, "spec.replicas").as_u64().unwrap()
}

#[test]
fn staging_has_one_replica_and_debug_logs_and_prod_has_neither() {
    for (chart, _) in SERVICES {
        let [staging, prod] = ["staging", "prod"].map(|environment| workload(&deployed(chart, environment)));
        assert_eq!((replicas(&staging), variable(&staging, "LOG_LEVEL").as_str()), (1, "debug"), "{}", chart.0);
        assert_eq!((replicas(&prod) > 1, variable(&prod, "LOG_LEVEL").as_str()), (true, "info"), "{}", chart.0);
    }
}

#[test]
fn all_connection_pools_and_a_surge_pod_fit_the_database() {
    let postgres = workload(&infrastructure(database::CHART, "infra", "postgres"));
    let most: u64 = at(&postgres, "spec.template.spec.containers[0].args[1]").as_str().unwrap()
        ["max_connections=".len()..]
        .parse()
        .unwrap();
    let size = |workload: &Value| variable(workload, "DB_POOL_SIZE").parse::<u64>().unwrap();
    let pooled: Vec<_> = ["staging", "prod"]
        .iter()
        .flat_map(|environment| [ORDER, CUSTOMER].map(|chart| workload(&deployed(chart, environment))))
        .chain([workload(&infrastructure(crate::web_service::CHART, "infra", "temporal"))])
        .collect();
    let open: u64 = pooled.iter().map(|workload| size(workload) * replicas(workload)).sum();
    let surge = pooled.iter().map(size).filter(|size| *size != 30).max().unwrap();
    assert!(open + surge < most, "{open} connections, and {surge} in an upgrade, of {most}");
}

#[test]
fn hosts_are_as_documented_and_follow_the_namespaces() {
    let want = [
        (ORDER, "DB_HOST", "postgresql.infra.svc.cluster.local"),
        (ORDER, "TEMPORAL_ADDRESS", "temporal.infra.svc.cluster.local:7233"),
        (CUSTOMER, "KAFKA_BROKERS", "kafka.infra.svc.cluster.local:9092"),
        (SERVER, "VALKEY_ADDRESS", "valkey.infra.svc.cluster.local:6379"),
        (SERVER, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector.monitoring.svc.cluster.local:4317"),
        (SERVER, "ORDER_SERVICE_ADDRESS", "order.default.svc.cluster.local:50051"),
        (SERVER, "CUSTOMER_SERVICE_ADDRESS", "customer.default.svc.cluster.local:50051"),
    ];
    for (chart, name, address) in want {
        assert_eq!(variable(&workload(&deployed(chart, "staging")), name), address);
        let elsewhere = deployed(chart, "prod")
            .value("global.namespaces", r#"{"infra":"run-7-infra","monitoring":"run-7-monitoring"}"#);
        let moved = address.replace(".infra.", ".run-7-infra.").replace(".monitoring.", ".run-7-monitoring.");
        assert_eq!(variable(&workload(&elsewhere), name), moved);
    }
}

#[test]
fn requests_are_as_documented() {
    let web = crate::web_service::CHART;
    let releases = [
        (infrastructure(database::CHART, "infra", "postgres"), "500m", "192Mi"),
        (infrastructure(database::CHART, "infra", "kafka"), "500m", "192Mi"),
        (infrastructure(web, "infra", "valkey"), "100m", "128Mi"),
        (infrastructure(web, "infra", "temporal"), "250m", "256Mi"),
        (infrastructure(web, "monitoring", "otel-collector"), "100m", "64Mi"),
        (infrastructure(web, "monitoring", "prometheus"), "250m", "256Mi"),
        (infrastructure(web, "monitoring", "grafana"), "100m", "128Mi"),
        (deployed(SERVER, "prod"), "100m", "64Mi"),
        (deployed(ORDER, "prod"), "100m", "64Mi"),
        (deployed(CUSTOMER, "prod"), "100m", "64Mi"),
    ];
    for (release, cpu, memory) in releases {
        let workload = workload(&release);
        let requests = at(&workload, "spec.template.spec.containers[0].resources.requests");
        assert_eq!((&requests["cpu"], &requests["memory"]), (&cpu.into(), &memory.into()), "{workload:#}");
    }
}

#[test]
fn secrets_are_as_documented() {
    let secret = |render: &Render, variable: &str| {
        let place = format!("spec.template.spec.containers[0].env[{variable}].valueFrom.secretKeyRef.name");
        at(&workload(render), &place).clone()
    };
    let postgres = infrastructure(database::CHART, "infra", "postgres");
    let temporal = infrastructure(crate::web_service::CHART, "infra", "temporal");
    assert_eq!(secret(&postgres, "POSTGRES_PASSWORD"), "postgres-credentials");
    assert_eq!(secret(&temporal, "DB_PASSWORD"), "temporal-credentials");
    assert_eq!(secret(&deployed(ORDER, "prod"), "DB_PASSWORD"), "order-db-credentials");
    assert_eq!(secret(&deployed(CUSTOMER, "staging"), "DB_PASSWORD"), "customer-db-credentials");
}

#[test]
fn the_migration_is_as_documented() {
    let rendered = deployed(ORDER, "staging").release("order").manifests();
    let job = rendered.get("Job/order-migration");
    assert_eq!(at(job, "spec.template.spec.containers[0].command"), &serde_json::json!(["migrate"]));
    assert_eq!(at(job, "spec.template.spec.containers[0].args"), &serde_json::json!(["-y"]));
    assert_eq!(at(job, "spec.backoffLimit"), 3);
    assert_eq!(at(job, "metadata.annotations[helm.sh/hook]"), "pre-install,pre-upgrade");
}

/// Renders a release with the stand-in, on top of the documented values.
fn played(release: Render, overlay: &std::path::Path) -> Manifests {
    release.file(overlay).value("global.image", r#"{"repository":"stand-in","tag":"dev"}"#).manifests()
}

#[test]
fn the_stand_in_replaces_every_release_within_the_restricted_standard() {
    let overlay = SERVER.path().join("../values/stand-in/web.yaml");
    let web = |namespace, release| played(infrastructure(crate::web_service::CHART, namespace, release), &overlay);
    let database =
        |release, variant| played(infrastructure(database::CHART, "infra", release), &database::CHART.ci(variant));
    let service = |(chart, _): (Chart, &str), environment| {
        played(deployed(chart, environment), &chart.ci("stand-in-values.yaml"))
    };
    let mut all = vec![database("postgres", "stand-in-values.yaml"), database("kafka", "open-values.yaml")];
    all.extend([web("infra", "valkey"), web("infra", "temporal"), web("monitoring", "otel-collector")]);
    all.extend(SERVICES.iter().flat_map(|of| ["staging", "prod"].map(|environment| service(*of, environment))));
    for rendered in all {
        for (owner, pod) in rendered.pods().into_iter().filter(|(owner, _)| owner != "Pod") {
            assert_eq!(pod_security::violations(&pod), Vec::<String>::new(), "{owner} of {:?}", rendered.ids());
            assert_eq!(pod.containers[0].image.as_deref(), Some("stand-in:dev"), "{:?}", rendered.ids());
        }
    }
}
