//! Netlink in the calling thread's network namespace.

use std::future::Future;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth};

/// The name of a pod's interface.
pub const POD_INTERFACE: &str = "eth0";
/// The index of `lo`.
pub const LOOPBACK_INDEX: u32 = 1;

/// An Ethernet address.
pub type Ethernet = [u8; 6];

/// Brings `lo` up in the calling thread's network namespace.
pub async fn loopback_up() -> Result<()> {
    let link = LinkUnspec::new_with_index(LOOPBACK_INDEX).up().build();
    connect()?.link().set(link).execute().await.context("bring lo up")
}

/// Runs a future on this thread only: a namespace belongs to the thread that entered it.
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    Ok(runtime.context("create a runtime for netlink")?.block_on(future))
}

/// Opens a netlink connection in the calling thread's network namespace.
pub fn connect() -> Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection().context("open a netlink socket")?;
    tokio::spawn(connection);
    Ok(handle)
}

/// Returns the index of an interface.
pub async fn index_of(handle: &Handle, name: &str) -> Result<u32> {
    let mut found = std::pin::pin!(handle.link().get().match_name(name).execute());
    let link = found.try_next().await.with_context(|| format!("look up the interface {name}"))?;
    Ok(link.with_context(|| format!("no interface {name}"))?.header.index)
}

/// Creates a veth pair: `eth0` here, up and with this address, and the end called `far` in the namespace `into`. Returns
/// the index of `eth0`.
pub async fn add_pair(handle: &Handle, address: Ethernet, far: &str, into: &OwnedFd) -> Result<u32> {
    let far_end = LinkMessageBuilder::<LinkUnspec>::new().name(far.to_owned()).setns_by_fd(into.as_raw_fd()).build();
    let pair = LinkMessageBuilder::<LinkVeth>::new(POD_INTERFACE, far)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
        .address(address.to_vec())
        .up()
        .build();
    handle.link().add(pair).execute().await.with_context(|| format!("create the pair {far}"))?;
    index_of(handle, POD_INTERFACE).await
}
