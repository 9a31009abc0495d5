//! Scales a deployment, even during a rollout or while it is paused: every set keeps its share.

use std::cmp::Reverse;

use super::Rollout;
use super::sets::{self, DESIRED, MAXIMUM, ReplicaSets, annotated};
use crate::status::Status;

/// Returns whether the deployment was scaled after its sets.
pub fn is_needed(rollout: &Rollout, sets: &ReplicaSets) -> bool {
    let mut active = sets.all().filter(|set| sets::replicas(set) > 0);
    active.any(|set| annotated(set, DESIRED).is_some_and(|desired| desired != rollout.replicas))
}

/// Scales the sets.
pub fn run(rollout: &Rollout, sets: &mut ReplicaSets) -> Result<(), Status> {
    let active = sets.old.iter().filter(|set| sets::replicas(set) > 0).count();
    let new_is_active = sets.new.as_ref().is_some_and(|new| sets::replicas(new) > 0);
    match (new_is_active, active) {
        (true, 0) => sets.scale_new(rollout, rollout.replicas).map(|_| ()),
        (false, 1) => {
            let index = sets.old.iter().position(|set| sets::replicas(set) > 0).unwrap_or(0);
            sets.scale_old(rollout, index, rollout.replicas).map(|_| ())
        }
        (false, 0) if sets.new.is_some() => sets.scale_new(rollout, rollout.replicas).map(|_| ()),
        (false, 0) => Ok(()),
        _ if is_saturated(rollout, sets) => {
            (0..sets.old.len()).try_for_each(|index| sets.scale_old(rollout, index, 0).map(|_| ()))
        }
        _ if rollout.is_recreate() => Ok(()),
        _ => in_proportion(rollout, sets),
    }
}

fn is_saturated(rollout: &Rollout, sets: &ReplicaSets) -> bool {
    sets.new.as_ref().is_some_and(|new| {
        let desired = annotated(new, DESIRED) == Some(rollout.replicas);
        desired && sets::replicas(new) == rollout.replicas && sets::available(new) == rollout.replicas
    })
}

/// Gives each set its share of the pods added or removed; the largest set takes the rest that rounding leaves.
fn in_proportion(rollout: &Rollout, sets: &mut ReplicaSets) -> Result<(), Status> {
    let allowed = if rollout.replicas > 0 { rollout.replicas + rollout.max_surge } else { 0 };
    let change = allowed - sets.total();
    let count = sets.old.len();
    let mut order: Vec<usize> = (0..count + usize::from(sets.new.is_some())).collect();
    let set = |index: usize| sets.old.get(index).or(sets.new.as_ref());
    // Of two sets of equal size, the newer grows first and the older shrinks first.
    let age =
        |index: usize| if change > 0 { -i64::try_from(index).unwrap_or(0) } else { i64::try_from(index).unwrap_or(0) };
    order.sort_by_key(|index| (Reverse(set(*index).map_or(0, sets::replicas)), age(*index)));
    let mut sizes: Vec<(usize, i32)> = Vec::new();
    let mut done = 0;
    for index in order {
        let Some(set) = set(index).filter(|set| sets::replicas(set) > 0) else { continue };
        let left = change - done;
        let share = share(rollout, set, allowed).clamp(left.min(0), left.max(0));
        done += share;
        sizes.push((index, sets::replicas(set) + share));
    }
    if let Some((_, largest)) = sizes.first_mut() {
        *largest = (*largest + change - done).max(0);
    }
    for (index, size) in sizes {
        if index < count {
            sets.scale_old(rollout, index, size)?
        } else {
            sets.scale_new(rollout, size)?
        };
    }
    Ok(())
}

fn share(rollout: &Rollout, set: &k8s_openapi::api::apps::v1::ReplicaSet, allowed: i32) -> i32 {
    let before = annotated(set, MAXIMUM);
    let running = rollout.deployment.status.as_ref().and_then(|s| s.replicas);
    let whole = before.or(running).filter(|whole| *whole > 0).unwrap_or(allowed.max(1));
    let size = f64::from(sets::replicas(set)) * f64::from(allowed) / f64::from(whole);
    #[expect(clippy::cast_possible_truncation, reason = "the value is at most a number of replicas, which is an i32")]
    let rounded = size.round() as i32;
    rounded - sets::replicas(set)
}
