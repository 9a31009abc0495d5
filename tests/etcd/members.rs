//! The members as an etcd client sees them, through kubectl's port-forward.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client::{Client, PATIENCE};

const MEMBERS: [&str; 3] = ["etcd-0", "etcd-1", "etcd-2"];

/// Checks that what is written before each kill, through any member, can be read from all members after it.
pub fn survive_any_kill(kubectl: &Client) {
    agree(kubectl);
    for (round, killed) in MEMBERS.into_iter().enumerate() {
        put(kubectl, MEMBERS[(round + 1) % 3], killed, "written before the kill");
        let uid = || kubectl.run(&format!("get pod {killed} -o jsonpath={{.metadata.uid}}"));
        let before = uid();
        kubectl.run(&format!("delete pod {killed} --grace-period=0 --force --timeout=60s"));
        put(kubectl, MEMBERS[(round + 2) % 3], "while one is away", killed);
        kubectl.until(&format!("get pod {killed} -o name"), |_| uid() != before);
        kubectl.run(&format!("wait --for=condition=Ready pod/{killed} --timeout=120s"));
        agree(kubectl);
        for member in MEMBERS {
            for earlier in &MEMBERS[..=round] {
                assert_eq!(get(kubectl, member, earlier).as_deref(), Some("written before the kill"), "{member}");
            }
            assert_eq!(get(kubectl, member, "while one is away").as_deref(), Some(killed), "{member}");
        }
    }
}

/// Waits until every member lists the same three members and follows the same leader, with no election under way.
pub fn agree(kubectl: &Client) {
    let started = Instant::now();
    loop {
        let asked = leaders(kubectl);
        if asked[0].is_string() && asked.iter().all(|leader| *leader == asked[0]) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{asked:?}");
    }
}

fn leaders(kubectl: &Client) -> [Value; 3] {
    MEMBERS.map(|member| {
        let listed = ask(kubectl, member, "/v3/cluster/member/list", &json!({}));
        let mut names: Vec<_> = listed["members"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        names.sort_by_key(Value::to_string);
        assert_eq!(names, MEMBERS, "{member}: {listed}");
        ask(kubectl, member, "/v3/maintenance/status", &json!({}))["leader"].clone()
    })
}

fn put(kubectl: &Client, member: &str, key: &str, value: &str) {
    let body = json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)});
    let answer = ask(kubectl, member, "/v3/kv/put", &body);
    assert!(answer["header"]["revision"].is_string(), "{answer}");
}

fn get(kubectl: &Client, member: &str, key: &str) -> Option<String> {
    let answer = ask(kubectl, member, "/v3/kv/range", &json!({"key": STANDARD.encode(key)}));
    let value = STANDARD.decode(answer["kvs"][0]["value"].as_str()?).unwrap();
    Some(String::from_utf8(value).unwrap())
}

/// Sends one request to one member. Without a leader etcd waits for the next, up to its own limit.
fn ask(kubectl: &Client, member: &str, path: &str, body: &Value) -> Value {
    let forwarder =
        kubectl.command(&format!("port-forward pod/{member} :2379"), &[]).stderr_to_stdout().reader().unwrap();
    let mut line = String::new();
    BufReader::new(&forwarder).read_line(&mut line).unwrap();
    let port: u16 = line.split([':', ' ']).find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line}"));
    let answer = post(port, path, &body.to_string());
    forwarder.kill().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{member} {path}: {answer:?}"));
    assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{member} {path}: {answer}");
    serde_json::from_str(body).unwrap()
}

fn post(port: u16, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
