//! Checks a suite's requests: what they need from other tables, and what can't be told from their output.

use client::records::{Absent, Read};
use client::request::{Kind, Protocol};

use super::{At, Key, Source, Step, Suite};
use crate::{Http, Promise, Request, Scheme, Workload};

/// Checks the tables of the application, and every request in them and in the parameters of cases.
pub fn check(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, workload) in suite.workloads.iter().enumerate() {
        check_workload(workload).map_err(|(way, message)| {
            // The tables of an only workload may be at the top level.
            let is_at_top = matches!(way.first(), Some(Key(table)) if source.has(table));
            let here = if is_at_top { Vec::new() } else { source.table("workload", index) };
            source.error(&[here, way].concat(), message)
        })?;
    }
    for (index, topology) in suite.topologies.iter().enumerate() {
        for (position, case) in topology.cases.iter().enumerate() {
            let here = [Key("topology"), At(index), Key("cases"), At(position)];
            for request in case.requests() {
                let has_port = case.with.contains_key("port");
                let checked = if has_port { Ok(()) } else { check_request(suite.workload_of(case), &request) };
                checked.map_err(|message| source.error(&here, format!("case `{}`: {message}", case.name)))?;
            }
        }
    }
    Ok(())
}

/// Checks the tables of a workload's application.
fn check_workload(workload: &Workload) -> Result<(), Problem> {
    if let Some(http) = &workload.http {
        check_tls(http).map_err(|(key, message)| (vec![Key("http"), Key(key)], message.to_owned()))?;
    }
    if workload.health.is_some() && workload.http.as_ref().is_some_and(|http| http.health.is_some()) {
        let message = "health is asked for twice: remove this, or the table [health]";
        return Err((vec![Key("http"), Key("health")], message.to_owned()));
    }
    for (table, request) in of_tables(workload) {
        check_request(Some(workload), request).map_err(|message| ([table, vec![Key("request")]].concat(), message))?;
    }
    check_records(workload).map_err(|(way, message)| (way, message.to_owned()))
}

/// Returns the requests outside of cases, each with its table.
fn of_tables(workload: &Workload) -> Vec<(Vec<Step<'static>>, &Request)> {
    let records = workload.records.as_ref();
    let read = records.and_then(|records| records.read.as_ref()).map(|read| &read.request);
    let find = records.and_then(|records| records.find.as_ref()).map(|find| &find.request);
    let requests = [
        (vec![Key("health")], workload.health.as_ref().map(|health| &health.request)),
        (vec![Key("records"), Key("write")], records.map(|records| &records.write.request)),
        (vec![Key("records"), Key("read")], read),
        (vec![Key("records"), Key("find")], find),
        (vec![Key("members")], workload.members.as_ref().map(|members| &members.request)),
        (vec![Key("leader")], workload.leader.as_ref().map(|leader| &leader.request)),
    ];
    requests.into_iter().filter_map(|(table, request)| Some((table, request?))).collect()
}

fn check_request(workload: Option<&Workload>, request: &Request) -> Result<(), String> {
    let has_http = workload.is_some_and(|workload| workload.http.is_some());
    let has_tcp = workload.is_some_and(|workload| workload.tcp.is_some());
    match (request.protocol(), &request.kind) {
        (Some(Protocol::Http), _) if !has_http => Err("its port is unknown: add an [http] table".to_owned()),
        (Some(Protocol::Tcp), _) if !has_tcp => Err("its port is unknown: add a [tcp] table".to_owned()),
        (None, Kind::Exec(command)) if workload.is_none() && command.container.is_none() => {
            Err("its container is unknown: add `container = \"NAME\"`, or a [workload] table".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_tls(http: &Http) -> Result<(), (&'static str, &'static str)> {
    let is_https = http.scheme == Scheme::Https;
    match (is_https, &http.ca, http.verify) {
        (false, Some(_), _) => Err(("ca", "`ca` is for HTTPS: add `scheme = \"https\"`, or remove it")),
        (false, None, false) => Err(("verify", "`verify` is for HTTPS: add `scheme = \"https\"`, or remove it")),
        (true, Some(_), false) => Err(("verify", "`verify = false` ignores `ca`: remove one of them")),
        (true, None, true) => {
            let message = "the server can't be verified: add `ca = \"${secret:NAME/KEY}\"`, or `verify = false`";
            Err(("scheme", message))
        }
        _ if http.server_name.is_some() && (!is_https || !http.verify) => {
            Err(("server_name", "`server_name` is compared only if the server is verified: remove it"))
        }
        _ => Ok(()),
    }
}

/// A problem and its place.
type Problem = (Vec<Step<'static>>, String);

fn check_records(workload: &Workload) -> Result<(), (Vec<Step<'static>>, &'static str)> {
    let Some(records) = &workload.records else { return Ok(()) };
    let way = |keys: &[&'static str]| keys.iter().copied().map(Key).collect::<Vec<_>>();
    let Some(read) = &records.read else {
        return match (records.promise, &records.find) {
            (Promise::None, None) => Ok(()),
            (Promise::None, Some(_)) => {
                Err((way(&["records", "find"]), "without [records.read] nothing is looked up: remove it"))
            }
            _ => {
                Err((way(&["records"]), "a promise is checked by reading: add [records.read], or `promise = \"none\"`"))
            }
        };
    };
    check_read(read).map_err(|(key, message)| (way(&["records", "read", key]), message))?;
    if read.request.needs_id() && records.write.id.is_none() {
        let message = "`${id}` is used but never set: add `id = \"/pointer\"` to [records.write]";
        return Err((way(&["records", "read"]), message));
    }
    if read.request.needs_id() && records.find.is_none() && records.promise != Promise::None {
        let message =
            "records are read by id, so one whose write got no response can't be looked up: add [records.find]";
        return Err((way(&["records", "read"]), message));
    }
    Ok(())
}

fn check_read(read: &Read) -> Result<(), (&'static str, &'static str)> {
    match &read.absent {
        Some(Absent::Status(status)) if read.request.status == Some(*status) => {
            Err(("absent", "`absent` is the status of an existing record: set the status for \"no such record\""))
        }
        Some(Absent::Status(_)) if read.request.protocol() == Some(Protocol::Tcp) => {
            Err(("absent", "there is no status over TCP: write `{ pattern = '…' }`"))
        }
        None if read.value.is_pattern() => {
            let message = "output without the value may be an error: add `absent = { pattern = '…' }`, which matches \
                           the output for \"no such record\"";
            Err(("value", message))
        }
        _ => Ok(()),
    }
}
