//! The pod network: a bridge on the node, a veth pair and an address for each pod.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::{Handle, LinkBridge, LinkUnspec, RouteMessageBuilder};

use crate::diversion::{BRIDGE_ADDRESS, Bridge, Diversions, ethernet_of};
use crate::netlink::{self, LOOPBACK_INDEX, connect, index_of};
use crate::spec::NodeNetwork;

const BRIDGE: &str = "pods";
const TABLE_LOCAL: u32 = 255;

/// The node's side of the pod network.
#[derive(Clone)]
pub struct PodNetwork {
    node: NodeNetwork,
    handle: Handle,
    bridge: u32,
    /// The node's own network namespace, into which the pods' threads put the node's end of each pair.
    namespace: Arc<OwnedFd>,
    diversions: Diversions,
    given: Arc<AtomicU32>,
}

/// One pod's port of the bridge.
#[derive(Debug, Clone)]
pub struct Port {
    /// The pod's address.
    pub ip: Ipv4Addr,
    /// The node's end of its veth pair.
    pub interface: String,
}

impl PodNetwork {
    /// Creates the bridge, with the gateway's address.
    pub async fn start(node: NodeNetwork) -> Result<Self> {
        let handle = connect()?;
        let bridge = LinkBridge::new(BRIDGE).address(BRIDGE_ADDRESS.to_vec()).build();
        handle.link().add(bridge).execute().await.context("create the pods' bridge")?;
        let bridge = index_of(&handle, BRIDGE).await?;
        handle
            .address()
            .add(bridge, node.gateway.into(), node.prefix)
            .execute()
            .await
            .with_context(|| format!("assign the bridge the address {}", node.gateway))?;
        let namespace = std::fs::File::open("/proc/thread-self/ns/net").context("open the node's network")?;
        let namespace: Arc<OwnedFd> = Arc::new(namespace.into());
        let seen =
            Bridge { handle: handle.clone(), namespace: namespace.clone(), index: bridge, gateway: node.gateway };
        let (diversions, given) = (Diversions::new(seen), Arc::new(AtomicU32::new(0)));
        Ok(Self { node, handle, bridge, namespace, diversions, given })
    }

    /// Makes every address of a network the node's own, so that its processes can listen on each.
    pub async fn serve(&self, network: Ipv4Addr, prefix: u8) -> Result<()> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(network, prefix)
            .output_interface(LOOPBACK_INDEX)
            .kind(RouteType::Local)
            .scope(RouteScope::Host)
            .table_id(TABLE_LOCAL)
            .build();
        let added = self.handle.route().add(route).execute().await;
        added.with_context(|| format!("assign {network}/{prefix} to the node"))
    }

    /// Returns the next address. No address is used twice in a run, so a replaced pod never has its
    /// predecessor's address.
    pub fn next_port(&self) -> Result<Port> {
        let number = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        let host_bits = 32 - u32::from(self.node.prefix);
        let base = u32::from(self.node.gateway) & (u32::MAX << host_bits);
        let gateway = u32::from(self.node.gateway) - base;
        let host = if number < gateway { number } else { number + 1 };
        ensure!(host < (1 << host_bits) - 1, "this run has used all {} addresses of the pod network", number - 1);
        Ok(Port { ip: Ipv4Addr::from(base + host), interface: format!("veth{number}") })
    }

    /// Returns what loses and delays the pods' traffic.
    pub fn diversions(&self) -> &Diversions {
        &self.diversions
    }

    /// Creates a pod's pair and addresses; call it on a thread inside the pod's network namespace.
    pub async fn plug_in_pod(&self, port: &Port) -> Result<()> {
        netlink::loopback_up().await?;
        let handle = connect()?;
        let index = netlink::add_pair(&handle, ethernet_of(port.ip), &port.interface, &self.namespace).await?;
        let added = handle.address().add(index, port.ip.into(), self.node.prefix).execute().await;
        added.with_context(|| format!("assign the pod the address {}", port.ip))?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(self.node.gateway).build();
        handle.route().add(route).execute().await.context("route the pod's traffic over the bridge")
    }

    /// Attaches the node's end of a pod's pair to the bridge. `namespace` is the pod's network.
    pub async fn plug_in_node(&self, port: &Port, namespace: Arc<OwnedFd>) -> Result<()> {
        let link = LinkUnspec::new_with_name(&port.interface).controller(self.bridge).up().build();
        let plugged = self.handle.link().set(link).execute().await;
        plugged.with_context(|| format!("attach {} to the bridge", port.interface))?;
        self.diversions.add(port.ip, namespace).await
    }

    /// Removes both ends of a pod's pair.
    pub async fn unplug(&self, port: &Port) -> Result<()> {
        let index = index_of(&self.handle, &port.interface).await?;
        let deleted = self.handle.link().del(index).execute().await;
        deleted.with_context(|| format!("remove the pair {}", port.interface))?;
        self.diversions.remove(port.ip).await
    }
}
