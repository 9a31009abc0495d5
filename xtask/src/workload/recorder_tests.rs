//! Tests of recorded operations.

use super::*;

fn operation(kind: OperationKind, value: Option<&str>, times: (u64, u64), outcome: Outcome) -> Operation {
    let (replica, value) = (Some("r0".to_owned()), value.map(str::to_owned));
    Operation { replica, value, outcome, ..Operation::new("c", kind, "register-0", times) }
}

fn recorder(operations: Vec<Operation>) -> Recorder {
    let (events, _) = Events::channel();
    let recorder = Recorder::new("test::case".to_owned(), events);
    for operation in operations {
        let written = (operation.outcome == Outcome::Ok).then_some(operation.value.clone()).flatten();
        if let Some(value) = written.filter(|_| operation.kind == OperationKind::Write) {
            recorder.know(Record::new(operation.key.clone(), value));
        }
        recorder.add(operation);
    }
    recorder
}

fn history(recorder: &Recorder) -> History {
    recorder.history(Promise::EventualRegister, vec!["r0".to_owned()], Minimum { before: 0, during: 0, after: 0 })
}

#[test]
fn later_cases_take_over_every_write_that_may_have_set_the_value_of_a_key() {
    let write = |value, times, outcome| operation(OperationKind::Write, Some(value), times, outcome);
    let earlier = recorder(vec![
        write("overwritten", (1, 2), Outcome::Ok),
        write("unknown", (3, 4), Outcome::Unknown),
        write("last", (5, 9), Outcome::Ok),
        write("beside it", (6, 7), Outcome::Ok),
        write("refused", (8, 8), Outcome::Failed),
    ]);
    let later = recorder(vec![]);
    later.take_over(&earlier.sample(50));
    let values: Vec<_> = history(&later).operations.into_iter().filter_map(|o| o.value).collect();
    assert_eq!(values, ["unknown", "last", "beside it"]);
    assert_eq!(later.known().len(), 1, "the key is read back once");
}

#[test]
fn a_history_holds_no_secret() {
    redact::known::learn("badger-of-the-wood");
    let failed = Operation {
        error: Some("status 500: dsn is badger-of-the-wood".to_owned()),
        ..operation(OperationKind::Write, Some("v1"), (1, 2), Outcome::Unknown)
    };
    let recorder =
        recorder(vec![failed, operation(OperationKind::Read, Some("badger-of-the-wood"), (3, 4), Outcome::Ok)]);
    recorder.fault("helm upgrade --set auth.password=badger-of-the-wood");
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(save(&history(&recorder), dir.path()).unwrap()).unwrap();
    assert!(!text.contains("badger") && text.matches("REDACTED").count() == 3 && text.contains("v1"), "{text}");
}

#[test]
fn a_history_on_a_full_disk_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("histories")).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join("histories/test.case.jsonl")).unwrap();
    let error = save(&history(&recorder(vec![])), dir.path()).unwrap_err();
    assert!(format!("{error:#}").contains("No space left on device"), "{error:#}");
}

/// Returns the verdict on a read of a register in a later case.
fn judged(kept: &[Kept], read: &str) -> bool {
    let later = recorder(vec![]);
    later.take_over(kept);
    later.add(Operation {
        client: "reader".to_owned(),
        replica: Some("db-0".to_owned()),
        connection: Connection::Reused,
        stage: Stage::ReadBack,
        ..operation(OperationKind::Read, Some(read), (1000, later.now_ns().max(1000)), Outcome::Ok)
    });
    let minimum = Minimum { before: 0, during: 0, after: 0 };
    history::judge_records(&later.history(Promise::Register, vec!["db-0".to_owned()], minimum)).holds()
}

#[test]
fn a_register_is_handed_on_with_all_its_possible_values() {
    let write = |value, times, outcome| operation(OperationKind::Write, Some(value), times, outcome);
    let earlier = recorder(vec![
        write("old", (10, 20), Outcome::Ok),
        write("one", (30, 50), Outcome::Ok),
        write("other", (40, 60), Outcome::Ok),
        write("lost", (32, 45), Outcome::Unknown),
        write("refused", (70, 80), Outcome::Failed),
    ]);
    let kept = earlier.sample(1);
    assert!(judged(&kept, "other") && judged(&kept, "one"), "two concurrent writes: either value is possible");
    assert!(judged(&kept, "lost"), "it may have had an effect");
    assert!(!judged(&kept, "old"), "it was overwritten");
    assert!(!judged(&kept, "refused"), "it had no effect");
}

#[test]
fn a_client_of_a_pod_that_is_replaced_is_not_counted_against_the_service() {
    let recorder = recorder(vec![]);
    let add = |connection, outcome| {
        recorder.add(Operation { connection, ..operation(OperationKind::Write, None, (0, 1), outcome) });
    };
    add(Connection::Service, Outcome::Ok);
    add(Connection::New, Outcome::Failed);
    add(Connection::Reused, Outcome::Unknown);
    assert_eq!(recorder.failed_through_service(), (1, vec![]));
    add(Connection::ServiceReused, Outcome::Unknown);
    let (all, failed) = recorder.failed_through_service();
    assert_eq!((all, failed.len()), (2, 1));
}
