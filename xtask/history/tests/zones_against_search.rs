//! The zone checker against a search that tries every order, on hundreds of thousands of histories.

mod random;

use history::{Operation, OperationKind, Outcome, Verdict, register};
use random::Random;

const HISTORIES: u64 = 300_000;
const OPERATIONS_MAX: u64 = 8;

/// A history of one key: half of the reads see what some order could have shown them, so that both
/// verdicts are common.
fn random_history(random: &mut Random) -> Vec<Operation> {
    let count = 2 + random.below(OPERATIONS_MAX - 1);
    let mut written = Vec::new();
    let mut operations = Vec::new();
    for id in 0..count {
        let start_ns = random.below(12);
        let end_ns = start_ns + random.below(6);
        let is_write = random.below(2) == 0;
        let outcome = match random.below(10) {
            0 => Outcome::Failed,
            1 | 2 => Outcome::Unknown,
            _ => Outcome::Ok,
        };
        let value = if is_write {
            written.push(id.to_string());
            Some(id.to_string())
        } else {
            read_value(random, &written)
        };
        let kind = if is_write { OperationKind::Write } else { OperationKind::Read };
        operations.push(operation(id, kind, value, (start_ns, end_ns), outcome));
    }
    operations
}

fn read_value(random: &mut Random, written: &[String]) -> Option<String> {
    let choice = random.below(written.len() as u64 + 1);
    usize::try_from(choice).ok().and_then(|index| written.get(index).cloned())
}

fn operation(id: u64, kind: OperationKind, value: Option<String>, times: (u64, u64), outcome: Outcome) -> Operation {
    Operation { value, outcome, ..Operation::new(format!("c{id}"), kind, "k", times) }
}

/// Wing and Gong's search: some operation that nothing unplaced precedes goes next, if the state
/// allows it; a write of unknown end may also never happen.
fn some_order_explains(operations: &[&Operation], placed: u32, state: Option<&str>) -> bool {
    let open = |i: usize| placed & (1 << i) == 0;
    let must_place = |o: &Operation| o.outcome == Outcome::Ok;
    if (0..operations.len()).all(|i| !open(i) || !must_place(operations[i])) {
        return true;
    }
    (0..operations.len()).filter(|&i| open(i)).any(|i| {
        let next = operations[i];
        let preceded = (0..operations.len())
            .any(|j| open(j) && j != i && must_place(operations[j]) && operations[j].end_ns < next.start_ns);
        let fits = next.kind == OperationKind::Write || next.value.as_deref() == state;
        let state = if next.kind == OperationKind::Write { next.value.as_deref() } else { state };
        !preceded && fits && some_order_explains(operations, placed | (1 << i), state)
    })
}

#[test]
fn zones_and_search_never_disagree() {
    let mut random = Random(20_261_121);
    let (mut linearizable, mut not) = (0_u64, 0_u64);
    for _ in 0..HISTORIES {
        let history = random_history(&mut random);
        let counted: Vec<_> = history
            .iter()
            .filter(|o| o.outcome == Outcome::Ok || (o.kind == OperationKind::Write && o.outcome == Outcome::Unknown))
            .collect();
        let searched = some_order_explains(&counted, 0, None);
        let decided = register::check(&history) == Verdict::Holds;
        assert_eq!(decided, searched, "zones say {:?} of {history:#?}", register::check(&history));
        if searched { linearizable += 1 } else { not += 1 }
    }
    assert!(linearizable > HISTORIES / 10 && not > HISTORIES / 10, "{linearizable} and {not}: one-sided histories");
}
