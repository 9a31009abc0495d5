//! Compares the checker of eventual registers with a search that tries every order of the writes.

mod random;

use history::model::Minimum;
use history::{Header, History, Operation, OperationKind, Outcome, Promise, Stage, Verdict, file, last_write};
use random::Random;

const HISTORIES: u64 = 100_000;
const WRITES_MAX: u64 = 5;

/// Returns writes and deletes of one key, and one final read of a written value or of nothing.
fn random_history(random: &mut Random) -> (Vec<Operation>, Operation) {
    let count = random.below(WRITES_MAX + 1);
    let writes: Vec<_> = (0..count).map(|id| random_write(random, id)).collect();
    let choice = usize::try_from(random.below(count + 1)).unwrap_or_default();
    let value = writes.get(choice).and_then(|write| write.value.clone());
    let start_ns = 4 + random.below(10);
    let read = operation(OperationKind::Read, value, (start_ns, start_ns + random.below(4)), Outcome::Ok);
    (writes, Operation { stage: Stage::ReadBack, ..read })
}

/// Returns a random write. Some values are written twice: three IDs share one.
fn random_write(random: &mut Random, id: u64) -> Operation {
    let start_ns = random.below(12);
    let outcome = match random.below(8) {
        0 => Outcome::Failed,
        1 => Outcome::Unknown,
        _ => Outcome::Ok,
    };
    let is_delete = random.below(8) == 0;
    let kind = if is_delete { OperationKind::Delete } else { OperationKind::Write };
    let value = (!is_delete).then(|| (id % 3).to_string());
    operation(kind, value, (start_ns, start_ns + random.below(6)), outcome)
}

fn operation(kind: OperationKind, value: Option<String>, times: (u64, u64), outcome: Outcome) -> Operation {
    let replica = Some("r0".to_owned());
    Operation { replica, value, outcome, ..Operation::new("c", kind, "k", times) }
}

/// Returns whether some order of the writes that may have had an effect results in the value read. The order must contain
/// every write that was acknowledged before the read, and no write may precede one that had ended when it began.
fn some_order_leaves(order: &mut Vec<usize>, writes: &[Operation], read: &Operation) -> bool {
    let must = |w: &Operation| w.outcome == Outcome::Ok && w.end_ns < read.start_ns;
    let is_whole = (0..writes.len()).all(|i| order.contains(&i) || !must(&writes[i]));
    if is_whole && order.last().and_then(|i| writes[*i].value.clone()) == read.value {
        return true;
    }
    for next in 0..writes.len() {
        let ended_first = |i: &usize| writes[next].outcome == Outcome::Ok && writes[next].end_ns < writes[*i].start_ns;
        let may_have_begun = writes[next].start_ns <= read.end_ns && writes[next].outcome != Outcome::Failed;
        if order.contains(&next) || !may_have_begun || order.iter().any(ended_first) {
            continue;
        }
        order.push(next);
        let found = some_order_leaves(order, writes, read);
        order.pop();
        if found {
            return true;
        }
    }
    false
}

fn judged(mut operations: Vec<Operation>, read: Operation) -> Verdict {
    operations.push(read);
    let header = Header {
        format: file::FORMAT.to_owned(),
        case: "test::case".to_owned(),
        promise: Promise::EventualRegister,
        replicas: vec!["r0".to_owned()],
        minimum: Minimum { before: 0, during: 0, after: 0 },
    };
    last_write::check(&History { header, operations, faults: Vec::new() })
}

#[test]
fn checker_and_search_never_disagree() {
    let mut random = Random(20_261_130);
    let (mut kept, mut lost) = (0_u64, 0_u64);
    for _ in 0..HISTORIES {
        let (writes, read) = random_history(&mut random);
        let searched = some_order_leaves(&mut Vec::new(), &writes, &read);
        let verdict = judged(writes.clone(), read.clone());
        assert_eq!(verdict == Verdict::Holds, searched, "{verdict} of {writes:#?} read as {read:#?}");
        if searched { kept += 1 } else { lost += 1 }
    }
    assert!(kept > HISTORIES / 10 && lost > HISTORIES / 10, "{kept} and {lost}: one-sided histories");
}
