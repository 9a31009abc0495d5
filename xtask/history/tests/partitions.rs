//! Random histories of a partition, from a model of a replicated application: a correct one is never blamed, and a wrong
//! one is found whenever its clients can have noticed. Each is also written to a file, read, and judged again.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod random;

use std::collections::BTreeMap;

use history::model::Minimum;
use history::{Fault, Header, History, Operation, OperationKind, Outcome, Promise, Stage, Verdict, file, judge};
use random::Random;

const HISTORIES: u64 = 300;
const REPLICAS: [&str; 3] = ["r0", "r1", "r2"];
/// The replica that is cut off.
const APART: &str = "r0";
/// When the partition begins and ends, and everything is read back.
const PARTITION: (u64, u64) = (100, 300);
const READ_BACK: u64 = 400;
const KEYS: u64 = 3;

/// What the replica that is cut off does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// It acknowledges nothing and returns nothing; its writes may still take effect, at any time.
    Refuses,
    /// It acknowledges writes that the others never see.
    AcknowledgesAlone,
    /// It returns what was there when the partition began.
    ReadsOldState,
}

/// The application: each write takes effect at one instant.
struct Model {
    promise: Promise,
    apart: Apart,
    /// By key, when which value was set.
    effects: BTreeMap<String, Vec<(u64, String)>>,
    operations: Vec<Operation>,
    alone: usize,
}

impl Model {
    fn run(promise: Promise, apart: Apart, random: &mut Random) -> Self {
        let mut model = Self { promise, apart, effects: BTreeMap::new(), operations: Vec::new(), alone: 0 };
        for (number, replica) in REPLICAS.iter().enumerate() {
            let mut now = random.below(5);
            while now < READ_BACK - 40 {
                let end = now + 1 + random.below(20);
                let client = format!("c{number}");
                if random.below(2) == 0 {
                    model.write(&client, replica, (now, end), random);
                } else {
                    // Its key and value are known once all effects are.
                    model.operations.push(operation(&client, replica, OperationKind::Read, "", (now, end)));
                }
                now = end + 1 + random.below(5);
            }
        }
        model.fill_in_reads(random);
        model.read_back();
        model
    }

    fn is_cut_off(replica: &str, (start, end): (u64, u64)) -> bool {
        replica == APART && start < PARTITION.1 && end >= PARTITION.0
    }

    fn write(&mut self, client: &str, replica: &str, times: (u64, u64), random: &mut Random) {
        let value = format!("{client}-{}", times.0);
        let key = if self.promise == Promise::Set { value.clone() } else { format!("k{}", random.below(KEYS)) };
        let mut operation = operation(client, replica, OperationKind::Write, &key, times);
        operation.value = Some(value.clone());
        let within = times.0 + random.below(times.1 - times.0 + 1);
        match (Self::is_cut_off(replica, times), self.apart) {
            (true, Apart::AcknowledgesAlone) => self.alone += 1,
            (true, _) => {
                operation.outcome = Outcome::Unknown;
                if random.below(2) == 0 {
                    let at = times.0 + random.below(READ_BACK - times.0);
                    self.effects.entry(key).or_default().push((at, value));
                }
            }
            (false, _) => self.effects.entry(key).or_default().push((within, value)),
        }
        self.operations.push(operation);
    }

    fn fill_in_reads(&mut self, random: &mut Random) {
        let mut operations = std::mem::take(&mut self.operations);
        let writes = operations.iter().filter(|o| o.kind == OperationKind::Write);
        let writes: Vec<_> = writes.map(|o| (o.start_ns, o.key.clone())).collect();
        for read in operations.iter_mut().filter(|o| o.kind == OperationKind::Read) {
            let begun: Vec<_> = writes.iter().filter(|(start, _)| *start < read.start_ns).collect();
            let any = begun.get(usize::try_from(random.below(begun.len().max(1) as u64)).unwrap());
            read.key = any.map_or("k0", |(_, key)| key.as_str()).to_owned();
            let times = (read.start_ns, read.end_ns);
            let at = times.0 + random.below(times.1 - times.0 + 1);
            match (Self::is_cut_off(read.replica.as_deref().unwrap_or_default(), times), self.apart) {
                (true, Apart::ReadsOldState) => read.value = self.state(&read.key, at.min(PARTITION.0)),
                (true, _) => read.outcome = Outcome::Failed,
                (false, _) => read.value = self.state(&read.key, at),
            }
        }
        self.operations = operations;
    }

    fn state(&self, key: &str, at: u64) -> Option<String> {
        let effects = self.effects.get(key)?.iter().filter(|(when, _)| *when <= at);
        effects.max().map(|(_, value)| value.clone())
    }

    fn read_back(&mut self) {
        let keys: std::collections::BTreeSet<_> = self.operations.iter().map(|o| o.key.clone()).collect();
        for (number, key) in (0..).zip(&keys) {
            for replica in REPLICAS {
                let times = (READ_BACK + number, READ_BACK + number);
                let mut read = operation(&format!("reader-{replica}"), replica, OperationKind::Read, key, times);
                (read.stage, read.value) = (Stage::ReadBack, self.state(key, READ_BACK));
                self.operations.push(read);
            }
        }
    }

    fn history(self) -> History {
        let header = Header {
            format: file::FORMAT.to_owned(),
            case: "test::partition".to_owned(),
            promise: self.promise,
            replicas: REPLICAS.map(str::to_owned).to_vec(),
            minimum: Minimum { before: 0, during: 0, after: 0 },
        };
        let fault = Fault {
            healed_ns: Some(PARTITION.1),
            apart: [APART.to_owned()].into(),
            recovered_ns: Some(PARTITION.1 + 10),
            evidence: Some("9 packets lost".to_owned()),
            ..Fault::new("cut r0 off", PARTITION.0)
        };
        History { header, operations: self.operations, faults: vec![fault] }
    }
}

fn operation(client: &str, replica: &str, kind: OperationKind, key: &str, times: (u64, u64)) -> Operation {
    Operation { replica: Some(replica.to_owned()), ..Operation::new(client, kind, key, times) }
}

/// Returns whether a read certainly returned an outdated value: a later write had been acknowledged before it.
fn has_noticed(history: &History) -> bool {
    let writes = |key: &str| {
        let of_key = history.operations.iter().filter(move |o| o.kind == OperationKind::Write && o.key == *key);
        of_key.filter(|o| o.outcome == Outcome::Ok).collect::<Vec<_>>()
    };
    history.operations.iter().filter(|o| o.is_answered_read()).any(|read| {
        let writes = writes(&read.key);
        let own = writes.iter().find(|write| write.value == read.value);
        // Of unknown outcome: it may be later than any other.
        let begun_ns = match (&read.value, own) {
            (Some(_), None) => return false,
            (Some(_), Some(own)) => own.end_ns,
            (None, _) => 0,
        };
        writes.iter().any(|later| later.start_ns > begun_ns && later.end_ns < read.start_ns)
    })
}

/// Judges a history, and again after it was written to a file.
fn judged(history: &History) -> Vec<(&'static str, Verdict)> {
    let verdicts = judge(history).verdicts;
    let mut bytes = Vec::new();
    file::write(history, &mut bytes).unwrap();
    assert_eq!(judge(&file::read(bytes.as_slice()).unwrap()).verdicts, verdicts, "judged offline");
    verdicts
}

fn holds(history: &History) -> bool {
    judged(history).iter().all(|(_, verdict)| *verdict == Verdict::Holds)
}

#[test]
fn a_correct_application_is_never_blamed() {
    let mut random = Random(20_261_201);
    for _ in 0..HISTORIES {
        for promise in [Promise::Set, Promise::Register, Promise::EventualSet, Promise::EventualRegister] {
            let history = Model::run(promise, Apart::Refuses, &mut random).history();
            assert!(holds(&history), "{:?}", judged(&history));
        }
    }
}

#[test]
fn what_a_replica_acknowledged_alone_is_lost() {
    let mut random = Random(20_261_202);
    for _ in 0..HISTORIES {
        let model = Model::run(Promise::Set, Apart::AcknowledgesAlone, &mut random);
        let alone = model.alone;
        let history = model.history();
        assert_eq!(holds(&history), alone == 0, "{alone} acknowledged alone");
        let failures = history::failures(&history, &judge(&history));
        assert_eq!(alone == 0, failures.is_empty(), "{failures:?}");
        let count = format!("{alone} of ");
        assert!(
            failures.first().is_none_or(|line| line.starts_with(&count) && line.contains("after cut r0 off")),
            "{failures:?}"
        );
    }
}

#[test]
fn outdated_reads_are_found_whenever_they_can_be_noticed() {
    let mut random = Random(20_261_203);
    for promise in [Promise::Set, Promise::Register] {
        let mut noticed = 0;
        for _ in 0..HISTORIES {
            let history = Model::run(promise, Apart::ReadsOldState, &mut random).history();
            let has_noticed = has_noticed(&history);
            noticed += u64::from(has_noticed);
            assert!(!has_noticed || !holds(&history), "{:?}", judged(&history));
        }
        assert!(noticed > HISTORIES / 10, "{noticed}: one-sided histories");
    }
}
