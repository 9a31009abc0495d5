//! Tests of requests as suite files write them, and of what counts as their success.

use super::*;
use crate::template::Secrets;

fn request(text: &str) -> Result<Request, String> {
    let table: toml::Table = toml::from_str(&format!("request = {text}")).unwrap();
    table["request"].clone().try_into().map_err(|error| error.message().to_owned())
}

fn ended(status: u16, output: &str, stderr: &str) -> Response {
    Response { status: Some(status), output: output.to_owned().into(), stderr: stderr.to_owned() }
}

#[test]
fn a_request_is_one_of_three() {
    let kinds = "a request is HTTP, a command or TCP: write one of `path`, `exec` and `tcp`";
    for (text, error) in [
        ("{ status = 200 }", kinds),
        ("{ path = '/x', exec = ['a'] }", kinds),
        ("{ path = '/', status = 0 }", "an HTTP status is from 100 to 599: 0 is the exit status of a command"),
        ("{ exec = ['a'], method = 'POST' }", "`method` is for a request with `path`: remove it"),
        ("{ path = '/x', container = 'a' }", "`container` is for a request with `exec`: remove it"),
        (
            "{ tcp = { send = 'a', expect = 'b' }, status = 0 }",
            "`status` is for a request with `path` or `exec`: remove it",
        ),
        ("{ tcp = { send = 'a' } }", "missing field `expect`"),
        ("{ path = '/x/${host}' }", "`${host}` is for commands, which make their own connections: remove it"),
        (
            "{ path = '/x?token=${secret:a/b}' }",
            "a path is shown and logged: move `${secret:…}` to a header or the body",
        ),
    ] {
        assert_eq!(request(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn a_request_can_be_sent_to_the_client_in_the_cluster() {
    for text in [
        "{ method = 'POST', path = '/x', headers = { a = 'b ${secret:c/d}' }, body = '${key}', status = 201, expect = 'e' }",
        "{ exec = ['a', '${key}'], container = 'b', status = 3, expect = 'c', error = 'd' }",
        "{ tcp = { send = \"a ${key|base64}\\r\\n\", expect = 'b', error = 'c' } }",
    ] {
        let read = request(text).unwrap();
        let sent = serde_json::to_string(&read).unwrap();
        let again: Request = serde_json::from_str(&sent).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), sent);
        assert_eq!(format!("{again:?}"), format!("{read:?}"), "{text}");
    }
}

#[test]
fn an_error_is_no_success_even_with_status_0() {
    let request = request(r"{ exec = ['redis-cli', 'SET'], expect = '^OK$', error = '^\(error\)' }").unwrap();
    request.check(&ended(0, "OK\n", "a warning")).unwrap();
    for (response, why) in [
        (ended(0, "(error) OOM\nOK\n", ""), r"an error, according to `^\(error\)`: (error) OOM"),
        (ended(1, "OK\n", "lost"), "status 1 instead of 0: OK (stderr: lost)"),
        (ended(0, "QUEUED", ""), "the output contains no `^OK$`: QUEUED"),
        (ended(0, "", ""), "the output contains no `^OK$`: no output"),
    ] {
        let error = request.check(&response).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn a_response_over_tcp_ends_with_a_whole_line() {
    let request =
        request(r#"{ tcp = { send = "GET k\r\n", expect = '^\$-1$|^\$\d+\r\n.*$', error = '^-' } }"#).unwrap();
    for (received, is_complete) in [
        ("", false),
        ("$5\r\n", false),
        ("$5\r\nhel", false),
        ("$5\r\nhello\r", false),
        ("$5\r\nhello\r\n", true),
        ("$-1\r\n", true),
        ("-LOADING\r\n", true),
        ("-LOADING", false),
    ] {
        assert_eq!(request.is_complete(received), is_complete, "{received:?}");
    }
}

#[test]
fn a_command_goes_through_a_service_only_if_it_names_the_host() {
    assert!(!request("{ exec = ['redis-cli'] }").unwrap().goes_to_any_host());
    assert!(request("{ exec = ['redis-cli', '-h', '${host}'] }").unwrap().goes_to_any_host());
    assert!(request("{ path = '/' }").unwrap().goes_to_any_host());
}

#[test]
fn a_secret_is_never_shown() {
    let request = request("{ exec = ['redis-cli', '-a', '${secret:redis/password}', 'GET', '${key}'] }").unwrap();
    let mut secrets = Secrets::default();
    request.secrets().for_each(|key| secrets.insert(key, "hunter2".to_owned()));
    let fill = Fill { key: "k", secrets: Some(&secrets), ..Fill::default() };
    assert_eq!(request.shown(fill), "`redis-cli -a ${secret:redis/password} GET k`");
}
