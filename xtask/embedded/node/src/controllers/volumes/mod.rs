//! Claims and volumes: binding, the provisioner of the class `standard`, protection, reclaiming.

mod bind;
mod protect;
mod provision;
mod reclaim;
#[cfg(test)]
mod tests;

pub use bind::CONTROLLER as BINDER;
pub use protect::CONTROLLER as PROTECTION;
pub use reclaim::CONTROLLER as RECLAIMER;

const COMPONENT: &str = "persistentvolume-controller";
const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

/// The provisioner of the class `standard`, the same as in kind.
pub const PROVISIONER: &str = "rancher.io/local-path";

/// The annotation that marks the default class.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
