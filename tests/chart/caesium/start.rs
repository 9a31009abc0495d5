//! How the main container's command uses the file that the init container wrote.

use super::defaults;
use crate::command::command;
use crate::manifests::at;

/// Runs the rendered command with this content of the file; `env` takes the place of Caesium.
fn started_with(nodes: Option<&str>) -> Result<String, String> {
    let rendered = defaults().manifests();
    let container = at(rendered.get("StatefulSet"), "spec.template.spec.containers[caesium]").clone();
    assert_eq!(container["command"], serde_json::json!(["/bin/sh", "-ec"]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("database-nodes");
    if let Some(nodes) = nodes {
        std::fs::write(&file, nodes).unwrap();
    }
    let script = container["args"][0].as_str().unwrap();
    assert!(script.contains("exec /bin/caesium start"), "{script}");
    let script =
        script.replace("/bin/caesium start", "env").replace("/etc/caesium/database-nodes", &file.display().to_string());
    let shell = command("/bin/sh", ["-ec", &script]).env_remove("CAESIUM_DATABASE_NODES");
    let output = shell.stdout_capture().stderr_capture().unchecked().run().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn the_peers_are_passed_on() {
    let environment = started_with(Some("a-0.b:9001,a-1.b:9001\n")).unwrap();
    assert!(environment.contains("CAESIUM_DATABASE_NODES=a-0.b:9001,a-1.b:9001\n"), "{environment}");
}

#[test]
fn without_peers_the_variable_is_empty() {
    let environment = started_with(Some("\n")).unwrap();
    assert!(environment.contains("CAESIUM_DATABASE_NODES=\n"), "{environment}");
}

#[test]
fn without_the_file_nothing_starts() {
    let said = started_with(None).expect_err("without the file it would found a cluster");
    assert!(said.contains("database-nodes"), "{said}");
}
