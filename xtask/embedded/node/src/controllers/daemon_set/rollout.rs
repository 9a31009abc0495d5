//! The rolling update: pods of an earlier template are replaced, as many at once as the strategy allows.

use k8s_openapi::api::core::v1::Pod;

use super::{NodePods, Pass};
use crate::controllers::{percent, pods};
use crate::status::Status;

impl Pass<'_> {
    /// Replaces pods of earlier templates, unless the strategy is `OnDelete`.
    pub(super) fn roll_out(&self) -> Result<(), Status> {
        let strategy = self.spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return Ok(());
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let desired = i32::try_from(self.nodes.iter().filter(|place| place.is_wanted).count()).unwrap_or(i32::MAX);
        let scaled = |value: Option<&_>| value.map(|value| percent::scaled_up(value, desired));
        let surge = scaled(rolling.and_then(|rolling| rolling.max_surge.as_ref())).unwrap_or(0);
        if surge > 0 {
            return self.surge(surge);
        }
        let unavailable = scaled(rolling.and_then(|rolling| rolling.max_unavailable.as_ref())).unwrap_or(1);
        self.replace(unavailable)
    }

    /// Deletes old pods: those that are unavailable anyway, and others as long as enough pods remain available.
    fn replace(&self, unavailable_max: i32) -> Result<(), Status> {
        let places = || self.nodes.iter().filter(|place| place.is_wanted);
        let is_served = |place: &&NodePods| place.pods.iter().any(|pod| self.is_available(pod));
        let unavailable = i32::try_from(places().filter(|place| !is_served(place)).count()).unwrap_or(i32::MAX);
        let mut left = unavailable_max.saturating_sub(unavailable);
        for old in places().flat_map(|place| self.old(place)) {
            if self.is_available(old) {
                if left <= 0 {
                    continue;
                }
                left -= 1;
            }
            self.delete(old)?;
        }
        Ok(())
    }

    /// Starts new pods beside old ones, and deletes an old one once its successor is available.
    fn surge(&self, surge_max: i32) -> Result<(), Status> {
        let places = || self.nodes.iter().filter(|place| place.is_wanted);
        let new = |place: &NodePods| place.pods.iter().find(|pod| pods::is_active(pod) && self.is_new(pod)).cloned();
        let doubled = places().filter(|place| new(place).is_some() && self.old(place).next().is_some()).count();
        let mut left = surge_max.saturating_sub(i32::try_from(doubled).unwrap_or(i32::MAX));
        for place in places() {
            let Some(old) = self.old(place).next() else { continue };
            match new(place) {
                Some(new) if self.is_available(&new) => self.delete(old)?,
                None if left > 0 || !self.is_available(old) => {
                    left -= 1;
                    self.create(&place.node)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn old<'a>(&'a self, place: &'a NodePods) -> impl Iterator<Item = &'a Pod> {
        place.pods.iter().filter(|pod| pods::is_active(pod) && !self.is_new(pod))
    }
}
