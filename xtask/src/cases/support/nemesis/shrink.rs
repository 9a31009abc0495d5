//! Finds the fewest faults of a sequence with which a case still fails.

/// Removes faults from a failing sequence as long as it still fails, and returns what is left: first halves, then smaller
/// and smaller parts (Zeller's delta debugging). `fails` answers `None` when there is no time for another attempt.
///
/// # Errors
/// That of `fails`.
pub async fn shrink<T: Clone>(
    failing: Vec<T>,
    mut fails: impl AsyncFnMut(&[T]) -> anyhow::Result<Option<bool>>,
) -> anyhow::Result<Vec<T>> {
    let (mut left, mut parts) = (failing, 2);
    while left.len() > 1 {
        match smaller(&left, parts, &mut fails).await? {
            Tried::Fails(fewer) => {
                parts = if fewer.len() <= left.len() / 2 { 2 } else { parts.saturating_sub(1).max(2) };
                left = fewer;
            }
            Tried::Passes if parts >= left.len() => break,
            Tried::Passes => parts = (parts * 2).min(left.len()),
            Tried::OutOfTime => break,
        }
    }
    Ok(left)
}

enum Tried<T> {
    Fails(Vec<T>),
    Passes,
    OutOfTime,
}

/// Tries each part by itself, and then everything but each part.
async fn smaller<T: Clone>(
    of: &[T],
    parts: usize,
    fails: &mut impl AsyncFnMut(&[T]) -> anyhow::Result<Option<bool>>,
) -> anyhow::Result<Tried<T>> {
    let each = of.len().div_ceil(parts);
    let alone = of.chunks(each).map(<[T]>::to_vec);
    let without = (0..of.len()).step_by(each).map(|from| {
        let to = (from + each).min(of.len());
        [&of[..from], &of[to..]].concat()
    });
    // With two parts, everything but one is the other.
    let without = without.filter(|_| parts > 2);
    for candidate in alone.chain(without).filter(|candidate| candidate.len() < of.len()) {
        match fails(&candidate).await? {
            Some(true) => return Ok(Tried::Fails(candidate)),
            Some(false) => {}
            None => return Ok(Tried::OutOfTime),
        }
    }
    Ok(Tried::Passes)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Shrinks 0..count, where a sequence fails if it has all of `needed`; returns what is left and the attempts.
    fn shrunk(count: u32, needed: &[u32], most: usize) -> (Vec<u32>, usize) {
        let mut attempts = 0;
        let fails = async |tried: &[u32]| {
            attempts += 1;
            Ok((attempts <= most).then(|| needed.iter().all(|one| tried.contains(one))))
        };
        let left = shrink((0..count).collect(), fails).now_or_never().unwrap().unwrap();
        (left, attempts)
    }

    #[test]
    fn only_the_faults_that_matter_are_left() {
        assert_eq!(shrunk(12, &[7], 100).0, [7]);
        assert_eq!(shrunk(12, &[0, 11], 100).0, [0, 11]);
        assert_eq!(shrunk(9, &[2, 3, 8], 100).0, [2, 3, 8]);
        assert_eq!(shrunk(1, &[0], 100), (vec![0], 0));
    }

    #[test]
    fn one_fault_among_many_takes_few_attempts() {
        let (left, attempts) = shrunk(16, &[5], 100);
        assert_eq!(left, [5]);
        assert!(attempts <= 8, "{attempts}");
    }

    #[test]
    fn what_was_found_so_far_is_kept_when_time_is_over() {
        let (left, attempts) = shrunk(16, &[5], 2);
        assert!(left.len() < 16 && left.contains(&5), "{left:?}");
        assert_eq!(attempts, 3);
    }
}
