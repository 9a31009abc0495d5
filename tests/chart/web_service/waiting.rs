//! Runs the script of the init containers that wait.

use std::net::TcpListener;
use std::time::Duration;

use super::defaults;
use crate::command::command;
use crate::manifests::at;

/// Runs the script for at most two seconds; returns whether it ended by itself, and its output.
fn waits_for(url: &str, switch: Option<&str>) -> (bool, String) {
    let switch_of = r#""switch":{"configMap":"c","key":"k"}"#;
    let rendered =
        defaults().value("waitFor", format!(r#"[{{"name":"postgres","url":"{url}",{switch_of}}}]"#)).manifests();
    let container = at(rendered.get("Deployment"), "spec.template.spec.initContainers[wait-for-postgres]").clone();
    assert_eq!(container["command"], serde_json::json!(["sh", "-c"]));
    let script = container["args"][0].as_str().unwrap().to_owned();
    let command = command("timeout", ["2", "sh", "-c", &script]).env("URL", url);
    let command = match switch {
        Some(switch) => command.env("SWITCH", switch),
        None => command.env_remove("SWITCH"),
    };
    let output = command.stderr_to_stdout().stdout_capture().unchecked().run().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts a server that responds to every request with this status line.
fn answering(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            use std::io::{Read as _, Write as _};
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 512]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    format!("127.0.0.1:{port}")
}

#[test]
fn a_responding_service_ends_the_wait() {
    let address = answering("200 OK");
    for url in [format!("http://{address}/health/ready"), format!("tcp://{address}")] {
        assert_eq!(waits_for(&url, None), (true, String::new()), "{url}");
    }
}

#[test]
fn a_missing_service_is_named() {
    let refused = ["http://127.0.0.1:1/health/ready", "tcp://127.0.0.1:1"].map(str::to_owned);
    for url in refused.into_iter().chain([format!("http://{}", answering("503 Not Ready"))]) {
        let (ended, said) = waits_for(&url, None);
        assert!(!ended && said.contains(&format!("waiting for postgres ({url})")), "{said}");
    }
}

#[test]
fn a_service_that_is_switched_off_is_not_waited_for() {
    assert!(waits_for("http://127.0.0.1:1/", Some("false")).0);
    assert!(!waits_for("http://127.0.0.1:1/", Some("true")).0);
}
