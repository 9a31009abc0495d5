//! Secrets: of development, placeholders for production, and those stored elsewhere.

use super::{CHART, SERVICES, defaults, deployment, production};
use crate::helm::{HELMS, Render};
use crate::manifests::{Manifests, at};

const STRONG: [(&str, &str); 4] = [
    ("jwtSecretKey", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("serviceAuthSecret", "one"),
    ("postgresPassword", "two"),
    ("rabbitmqPassword", "three"),
];

/// Returns the first helm's error; all of them reject the rendering.
fn refused(render: &Render) -> String {
    let mut said: Vec<_> = HELMS.iter().map(|helm| render.text(helm).expect_err("placeholders")).collect();
    said.remove(0)
}

fn with_strong_secrets(but: Option<(&str, &str)>) -> Render {
    let all = STRONG.iter().fold(defaults().file(&production()), |render, (name, value)| {
        render.value(&format!("secrets.{name}"), format!("{value:?}"))
    });
    but.into_iter().fold(all, |render, (name, value)| render.value(&format!("secrets.{name}"), format!("{value:?}")))
}

#[test]
fn every_placeholder_is_rejected_by_name() {
    let said = refused(&defaults().file(&production()));
    for (name, _) in STRONG {
        assert!(said.contains(&format!("secrets.{name} is a placeholder (\"CHANGE_ME")), "{said}");
    }
    with_strong_secrets(None).text(&HELMS[0]).expect("all are replaced");
}

#[test]
fn a_single_placeholder_is_rejected() {
    for (name, _) in STRONG {
        for value in ["CHANGE_ME", "change_me_soon", ""] {
            let said = refused(&with_strong_secrets(Some((name, value))));
            assert!(said.contains(&format!("secrets.{name} is a placeholder")), "{said}");
            assert_eq!(said.matches("is a placeholder").count(), 1, "{said}");
        }
    }
}

#[test]
fn a_short_key_is_rejected() {
    let said = refused(&with_strong_secrets(Some(("jwtSecretKey", "short"))));
    assert!(said.contains("secrets.jwtSecretKey has 5 characters and needs 64"), "{said}");
}

#[test]
fn development_secrets_are_rejected_in_production() {
    let said = refused(&defaults().value("global.environment", "\"Production\""));
    assert!(said.contains("secrets.serviceAuthSecret is a placeholder (\"development-only\")"), "{said}");
}

fn secret_names(rendered: &Manifests) -> Vec<String> {
    let variables = SERVICES.iter().flat_map(|(_, name)| {
        at(rendered.get(&deployment(name)), "spec.template.spec.containers[0].env").as_array().unwrap()
    });
    let names = variables.filter_map(|variable| at(variable, "valueFrom.secretKeyRef.name").as_str());
    names.map(str::to_owned).collect()
}

#[test]
fn an_external_secret_replaces_those_in_the_values() {
    let render = defaults().file(&production()).value("global.existingSecret", "\"vault\"");
    let rendered = render.manifests();
    assert!(rendered.find("Secret").is_none());
    let names = secret_names(&rendered);
    assert!(names.len() > SERVICES.len() && names.iter().all(|name| name == "vault"), "{names:?}");
    assert!(!render.notes().contains("WARNING"));
    assert!(with_strong_secrets(None).notes().contains("WARNING: the values of this release contain secrets"));
}

#[test]
fn every_referenced_key_is_in_the_secret() {
    let rendered = defaults().manifests();
    let secret = rendered.get("Secret/toskamesh-secrets");
    assert!(secret_names(&rendered).iter().all(|name| name == "toskamesh-secrets"));
    for (_, name) in SERVICES {
        let env = at(rendered.get(&deployment(name)), "spec.template.spec.containers[0].env").as_array().unwrap();
        for key in env.iter().filter_map(|variable| at(variable, "valueFrom.secretKeyRef.key").as_str()) {
            assert!(secret["stringData"].get(key).is_some(), "{name}: {key}");
        }
    }
}

#[test]
fn production_has_more_replicas_and_resources() {
    let rendered = with_strong_secrets(None).manifests();
    let development = CHART.render().manifests();
    for (_, name) in SERVICES {
        let wanted = if name == "health-monitor" { 2 } else { 3 };
        let deployed = rendered.get(&deployment(name));
        assert_eq!(at(deployed, "spec.replicas"), wanted, "{name}");
        let container = at(deployed, "spec.template.spec.containers[0]");
        assert_eq!(container["image"], format!("toskamesh-{name}:1.0.0"));
        assert_eq!(container["imagePullPolicy"], "Always");
        assert_eq!(at(container, "env[ASPNETCORE_ENVIRONMENT].value"), "Production");
        let before = at(development.get(&deployment(name)), "spec.template.spec.containers[0].resources");
        assert_ne!(&container["resources"], before, "{name}");
    }
}
