//! Tests of the remaining checkers and the file format.

use history::{
    Connection, Fault, Header, History, Operation, OperationKind, Outcome, Promise, Stage, Verdict, availability, file,
    model::Minimum, monotonic, service, vacuity,
};

fn operation(client: &str, kind: OperationKind, value: Option<&str>, start_ns: u64, end_ns: u64) -> Operation {
    let (replica, value) = (Some("r0".to_owned()), value.map(str::to_owned));
    Operation { replica, value, ..Operation::new(client, kind, "k", (start_ns, end_ns)) }
}

fn write(value: &str, start_ns: u64, end_ns: u64) -> Operation {
    operation("w", OperationKind::Write, Some(value), start_ns, end_ns)
}

fn read(client: &str, value: Option<&str>, start_ns: u64, end_ns: u64) -> Operation {
    operation(client, OperationKind::Read, value, start_ns, end_ns)
}

fn history(operations: Vec<Operation>, faults: Vec<Fault>) -> History {
    let header = Header {
        format: file::FORMAT.to_owned(),
        case: "test::case".to_owned(),
        promise: Promise::Set,
        replicas: vec!["r0".to_owned()],
        minimum: Minimum { before: 1, during: 1, after: 1 },
    };
    History { header, operations, faults }
}

fn fault(start_ns: u64, recovered_ns: Option<u64>) -> Fault {
    let what = "delete Pod/r0".to_owned();
    Fault { recovered_ns, evidence: Some("UID changed".to_owned()), ..Fault::new(what, start_ns) }
}

#[test]
fn a_client_that_goes_back_to_an_older_value_is_found() {
    let (first, second) = (write("1", 0, 1), write("2", 2, 3));
    let back = [first.clone(), second.clone(), read("c", Some("2"), 4, 5), read("c", Some("1"), 6, 7)];
    let words = "c read 2 of key k and later, through r0, 1";
    assert_eq!(monotonic::check(&back), Verdict::Violated(vec![words.to_owned()]));
    let two_clients = [first, second, read("c", Some("2"), 4, 5), read("d", Some("1"), 6, 7)];
    assert_eq!(monotonic::check(&two_clients), Verdict::Holds);
}

#[test]
fn concurrent_writes_may_be_read_in_either_order() {
    let operations = [write("1", 0, 9), write("2", 1, 8), read("c", Some("2"), 10, 11), read("c", Some("1"), 12, 13)];
    assert_eq!(monotonic::check(&operations), Verdict::Holds);
}

#[test]
fn a_record_that_vanishes_for_one_client_is_found_unless_it_was_deleted() {
    let mut operations = vec![write("1", 0, 1), read("c", Some("1"), 2, 3), read("c", None, 6, 7)];
    assert!(matches!(monotonic::check(&operations), Verdict::Violated(_)));
    operations.push(operation("w", OperationKind::Delete, None, 4, 5));
    assert_eq!(monotonic::check(&operations), Verdict::Holds);
}

#[test]
fn too_few_writes_at_any_time_are_named() {
    let enough = vec![write("1", 0, 1), write("2", 11, 12), write("3", 31, 32)];
    assert_eq!(vacuity::check(&history(enough.clone(), vec![fault(10, Some(20))])), Verdict::Holds);
    let words = ["before the fault", "from the fault to recovery", "after recovery"];
    for (missing, when) in words.iter().enumerate() {
        let mut fewer = enough.clone();
        fewer.remove(missing);
        fewer.push(read("c", None, 5, 15));
        let verdict = vacuity::check(&history(fewer, vec![fault(10, Some(20))])).to_string();
        assert_eq!(verdict, format!("violated: 0 writes were acknowledged {when}, but at least 1 are required"));
    }
}

#[test]
fn a_history_without_fault_or_recovery_or_overlap_is_vacuous() {
    let writes = vec![write("1", 0, 1), write("3", 31, 32)];
    let verdict = |faults| vacuity::check(&history(writes.clone(), faults)).to_string();
    assert_eq!(verdict(vec![]), "violated: no fault was injected");
    assert_eq!(verdict(vec![fault(10, None)]), "violated: no recovery from the fault: delete Pod/r0");
    assert!(verdict(vec![fault(10, Some(20))]).contains("no operation overlapped the fault: delete Pod/r0"));
    let second = verdict(vec![fault(1, Some(20)), fault(22, Some(30))]);
    assert!(second.contains("no operation overlapped the fault"), "every fault needs its own: {second}");
}

#[test]
fn operations_outside_of_the_workload_do_not_count() {
    let faults = vec![fault(10, Some(20))];
    for stage in [Stage::Earlier, Stage::Lookup, Stage::ReadBack] {
        let enough = [write("1", 0, 1), write("2", 11, 12), write("3", 31, 32)];
        let operations = enough.into_iter().map(|operation| Operation { stage, ..operation }).collect();
        let verdict = vacuity::check(&history(operations, faults.clone())).to_string();
        assert!(verdict.contains("no operation overlapped") && verdict.contains("0 writes"), "{stage:?}: {verdict}");
    }
}

/// Judges new connections through the Service, every 100 ms from 0 to 6 s, of which these are refused.
fn through_service(replicas: usize, refused: impl Fn(u64) -> bool) -> String {
    const TENTH_NS: u64 = 100_000_000;
    let attempts = (0..60).map(|tenth| {
        let start_ns = tenth * TENTH_NS;
        let is_refused = refused(tenth);
        Operation {
            connection: Connection::Service,
            replica: None,
            refused: is_refused,
            outcome: if is_refused { Outcome::Failed } else { Outcome::Ok },
            error: is_refused.then(|| "connection refused".to_owned()),
            ..read("c", None, start_ns, start_ns + 1)
        }
    });
    let mut history = history(attempts.collect(), vec![]);
    history.header.replicas = (0..replicas).map(|ordinal| format!("r{ordinal}")).collect();
    service::check(&history).to_string()
}

#[test]
fn a_service_that_sends_traffic_to_an_unready_replica_is_found() {
    let words = "violated: 20 of 58 connections through the Service were refused over 5700 ms while others were accepted: \
                 it sends traffic to an unready replica; connection refused";
    assert_eq!(through_service(3, |tenth| tenth % 3 == 0), words);
}

#[test]
fn a_service_may_lag_behind_and_a_single_replica_may_be_gone() {
    assert_eq!(through_service(3, |tenth| (10..35).contains(&tenth) && tenth % 3 == 0), "holds", "behind");
    let rolling = |tenth| tenth % 20 < 3;
    assert_eq!(through_service(3, rolling), "holds", "one after another is replaced");
    assert_eq!(
        through_service(3, |tenth| tenth > 10),
        "holds",
        "no replica is ready: the availability check covers that"
    );
    assert_eq!(through_service(1, |tenth| tenth % 3 == 0), "holds", "a single replica comes and goes");
}

#[test]
fn commands_are_no_connections_that_were_accepted() {
    let refused = |start_ns| Operation {
        connection: Connection::Service,
        refused: true,
        outcome: Outcome::Failed,
        ..read("c", None, start_ns, start_ns + 1)
    };
    let command = |start_ns| Operation { connection: Connection::Service, ..write("1", start_ns, start_ns + 1) };
    let both = (0..60).flat_map(|tenth| [refused(tenth * 100_000_000), command(tenth * 100_000_000 + 5)]);
    let mut commands_write = history(both.collect(), vec![]);
    commands_write.header.replicas = vec!["r0".to_owned(), "r1".to_owned()];
    assert_eq!(service::check(&commands_write), Verdict::Holds, "reads over TCP find no replica, as do the commands");
}

#[test]
fn the_longest_gap_is_measured_from_the_fault_to_the_last_operation() {
    const MS: u64 = 1_000_000;
    let mut lost = write("2", 20 * MS, 90 * MS);
    lost.outcome = Outcome::Unknown;
    let operations = vec![write("1", 0, MS), write("3", 11 * MS, 15 * MS), lost];
    let measured = availability::measure(&history(operations, vec![fault(10 * MS, Some(80 * MS))]));
    let figures = &measured[0].by_connection[&Connection::New];
    assert_eq!((figures.longest_gap_ms, figures.errors, figures.acknowledged), (75, 1, 1));
    assert_eq!(measured[0].recovered_ms, Some(70));
}

#[test]
fn every_fault_has_its_own_measurements_and_the_worst_count_for_the_case() {
    const MS: u64 = 1_000_000;
    let operations = [(11, 12), (13, 14), (31, 32), (50, 60)].map(|(from, to)| write("v", from * MS, to * MS));
    let leader = Fault { new_leader_ns: Some(12 * MS), ..fault(10 * MS, Some(14 * MS)) };
    let measured = availability::measure(&history(operations.to_vec(), vec![leader, fault(30 * MS, Some(50 * MS))]));
    let gaps: Vec<_> = measured.iter().map(|one| one.by_connection[&Connection::New].longest_gap_ms).collect();
    assert_eq!(gaps, [2, 28]);
    let worst = availability::worst(&measured);
    assert_eq!(worst.by_connection[&Connection::New].longest_gap_ms, 28);
    assert_eq!((worst.new_leader_ms, worst.recovered_ms), (Some(2), Some(20)));
}

#[test]
fn a_history_survives_writing_and_reading() {
    let history = history(vec![write("1", 0, 1), read("c", None, 2, 3)], vec![fault(10, Some(20))]);
    let mut bytes = Vec::new();
    file::write(&history, &mut bytes).unwrap();
    assert_eq!(file::read(bytes.as_slice()).unwrap(), history);
}

#[test]
fn a_bad_file_is_refused_by_line_and_reason() {
    let header = r#"{"header":{"format":"chartproof.history/1","case":"c","promise":"set","replicas":[],"minimum":{"before":0,"during":0,"after":0}}}"#;
    let backwards = r#"{"operation":{"client":"c","connection":"new","kind":"read","key":"k","start_ns":2,"end_ns":1,"outcome":"ok"}}"#;
    let no_value = r#"{"operation":{"client":"c","connection":"new","kind":"write","key":"k","start_ns":1,"end_ns":1,"outcome":"ok"}}"#;
    for (text, words) in [
        (String::new(), "line 1: a history begins with its header"),
        (backwards.to_owned(), "line 1: a history begins with its header"),
        (format!("{header}\n{header}"), "line 2: a second header"),
        (format!("{header}\n{backwards}"), "line 2: the operation ends before it starts"),
        (format!("{header}\n{no_value}"), "line 2: a write needs a value"),
        (header.replace("history/1", "history/9"), "line 1: format \"chartproof.history/9\" is not"),
        (format!("{header}\nnonsense"), "line 2: neither a header, an operation nor a fault: expected"),
        (
            format!("{header}\n{{\"fault\":{{\"wat\":1}}}}"),
            "line 2: neither a header, an operation nor a fault: unknown field `wat`",
        ),
    ] {
        let error = format!("{:#}", file::read(text.as_bytes()).unwrap_err());
        assert!(error.starts_with(words), "{error}");
    }
}
