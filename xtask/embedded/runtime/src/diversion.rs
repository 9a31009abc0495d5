//! Diverts traffic to the interposer, one direction between two ends at a time: a permanent neighbour entry of the
//! sender has the interposer's address instead of the receiver's. Neither end notices: there is no reset and no error.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use rtnetlink::{Handle, LinkUnspec};
use tokio::sync::OnceCell;

use crate::interposer;
use crate::netlink::{self, Ethernet, POD_INTERFACE};
use crate::threads::on_own_thread;
use crate::traffic::{Disturbance, End, Packet};

/// A fixed address: a bridge without one takes that of one of its ports, and another one when that port disappears.
/// Pods that know the gateway by the old address then reach nothing for half a minute.
pub const BRIDGE_ADDRESS: Ethernet = [0x02, 0, 0, 0, 0, 1];

/// From one end to another.
type Way = (End, End);

/// The pods' bridge, as seen from the node's own network namespace.
#[derive(Debug, Clone)]
pub struct Bridge {
    /// Netlink in that namespace.
    pub handle: Handle,
    /// The namespace.
    pub namespace: Arc<OwnedFd>,
    /// The bridge's index in it.
    pub index: u32,
    /// The node's address on the bridge.
    pub gateway: Ipv4Addr,
}

/// The diversions of one bridge. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Diversions {
    bridge: Bridge,
    known: Arc<Mutex<Known>>,
    /// The ways that are diverted. Locked while they change.
    diverted: Arc<tokio::sync::Mutex<BTreeSet<Way>>>,
    interposer: Arc<OnceCell<()>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Each with the number of packets that it has hit.
    disturbances: Vec<(Disturbance, u64)>,
    pods: BTreeMap<Ipv4Addr, Arc<OwnedFd>>,
}

/// Returns the Ethernet address of a pod's interface.
pub fn ethernet_of(pod: Ipv4Addr) -> Ethernet {
    let [a, b, c, d] = pod.octets();
    [0x02, 1, a, b, c, d]
}

impl Diversions {
    pub fn new(bridge: Bridge) -> Self {
        Self { bridge, known: Arc::default(), diverted: Arc::default(), interposer: Arc::default() }
    }

    /// Puts a disturbance into force, unless it is already.
    pub async fn begin(&self, disturbance: Disturbance) -> Result<()> {
        {
            let mut known = lock(&self.known);
            if known.disturbances.iter().all(|(one, _)| *one != disturbance) {
                known.disturbances.push((disturbance, 0));
            }
        }
        self.follow().await
    }

    /// Ends a disturbance, if it is in force.
    pub async fn end(&self, disturbance: &Disturbance) -> Result<()> {
        lock(&self.known).disturbances.retain(|(one, _)| one != disturbance);
        self.follow().await
    }

    /// Returns how many packets a disturbance in force has hit.
    pub fn hits(&self, disturbance: &Disturbance) -> u64 {
        lock(&self.known).disturbances.iter().find(|(one, _)| one == disturbance).map_or(0, |(_, hits)| *hits)
    }

    /// Adds a pod by its network namespace; disturbances in force may concern its traffic, too.
    pub async fn add(&self, pod: Ipv4Addr, namespace: Arc<OwnedFd>) -> Result<()> {
        lock(&self.known).pods.insert(pod, namespace);
        self.follow().await
    }

    /// Removes a pod.
    pub async fn remove(&self, pod: Ipv4Addr) -> Result<()> {
        lock(&self.known).pods.remove(&pod);
        self.follow().await
    }

    /// Diverts what the disturbances concern, and nothing else.
    async fn follow(&self) -> Result<()> {
        let mut diverted = self.diverted.lock().await;
        let wanted = lock(&self.known).ways();
        if !wanted.is_empty() {
            self.interposer.get_or_try_init(|| self.start_interposer()).await?;
        }
        let changed: BTreeSet<End> = wanted.symmetric_difference(&diverted).map(|(from, _)| *from).collect();
        for from in changed {
            let to = |ways: &BTreeSet<Way>| ways.iter().filter(|way| way.0 == from).map(|way| way.1).collect();
            let (new, old): (BTreeSet<End>, BTreeSet<End>) = (to(&wanted), to(&diverted));
            let change = Change {
                divert: new.difference(&old).map(|end| self.address(*end)).collect(),
                restore: old.difference(&new).map(|end| self.address(*end)).collect(),
            };
            self.change(from, change).await?;
        }
        *diverted = wanted;
        Ok(())
    }

    fn address(&self, end: End) -> Ipv4Addr {
        match end {
            End::Node => self.bridge.gateway,
            End::Pod(ip) => ip,
        }
    }

    async fn change(&self, from: End, change: Change) -> Result<()> {
        let End::Pod(ip) = from else { return change.make(&self.bridge.handle, self.bridge.index).await };
        // A pod that is gone has taken its entries along.
        let Some(namespace) = lock(&self.known).pods.get(&ip).cloned() else { return Ok(()) };
        let in_pod = on_own_thread("diversion", move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).context("enter the pod's network")?;
            netlink::block_on(async {
                let handle = netlink::connect()?;
                change.make(&handle, netlink::index_of(&handle, POD_INTERFACE).await?).await
            })?
        });
        in_pod.await.with_context(|| format!("divert the traffic of pod {ip}"))
    }

    async fn start_interposer(&self) -> Result<()> {
        let (known, gateway) = (self.known.clone(), self.bridge.gateway);
        let decide = move |packet: &Packet| lock(&known).decide(packet, gateway);
        interposer::start(self.bridge.namespace.clone(), Arc::new(decide)).await?;
        let link = LinkUnspec::new_with_name(interposer::PORT).controller(self.bridge.index).up().build();
        self.bridge.handle.link().set(link).execute().await.context("attach the interposer to the bridge")
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    /// Returns every way that a disturbance concerns.
    fn ways(&self) -> BTreeSet<Way> {
        let ends: Vec<End> = self.pods.keys().copied().map(End::Pod).chain([End::Node]).collect();
        let ways = ends.iter().flat_map(|from| ends.iter().map(|to| (*from, *to))).filter(|(from, to)| from != to);
        ways.filter(|(from, to)| self.disturbances.iter().any(|(one, _)| one.concerns(*from, *to))).collect()
    }

    /// Returns how late a packet goes on, and to whom; `None` if it is lost.
    fn decide(&mut self, packet: &Packet, gateway: Ipv4Addr) -> Option<(Duration, Ethernet)> {
        let mut delay = Duration::ZERO;
        for (one, hits) in self.disturbances.iter_mut().filter(|(one, _)| one.hits(packet, gateway)) {
            *hits += 1;
            if fastrand::u8(0..100) < one.loss_percent {
                return None;
            }
            delay += one.delay + one.jitter.mul_f64(fastrand::f64());
        }
        let to_pod = self.pods.contains_key(&packet.to);
        Some((delay, if to_pod { ethernet_of(packet.to) } else { BRIDGE_ADDRESS }))
    }
}

/// Neighbours of one sender whose entries change.
struct Change {
    divert: Vec<Ipv4Addr>,
    restore: Vec<Ipv4Addr>,
}

impl Change {
    async fn make(self, handle: &Handle, interface: u32) -> Result<()> {
        for ip in self.divert {
            let entry = handle.neighbours().add(interface, ip.into()).link_layer_address(&interposer::ADDRESS);
            entry.replace().execute().await.with_context(|| format!("divert what is sent to {ip}"))?;
        }
        for ip in self.restore {
            match handle.neighbours().del(entry_of(interface, ip)).execute().await {
                Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -nix::libc::ENOENT => {}
                Err(error) => bail!("end the diversion of what is sent to {ip}: {error}"),
                Ok(()) => {}
            }
        }
        Ok(())
    }
}

fn entry_of(interface: u32, ip: Ipv4Addr) -> NeighbourMessage {
    let mut entry = NeighbourMessage::default();
    (entry.header.family, entry.header.ifindex) = (AddressFamily::Inet, interface);
    entry.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)));
    entry
}
