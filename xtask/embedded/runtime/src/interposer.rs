//! Where diverted traffic goes: a port of the pods' bridge from which this process hands on each frame, late or never.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::sockopt::SetBool;
use nix::sys::socket::{SetSockOpt, SockaddrStorage, bind};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, eth, recv, send, socket_with};
use tokio::io::Interest;

use crate::netlink::{self, Ethernet, POD_INTERFACE};
use crate::threads::on_own_thread;
use crate::traffic::Packet;
use crate::watched::{Watched, watch};

/// The interposer's address on the bridge.
pub const ADDRESS: Ethernet = [0x02, 0, 0, 0, 0, 2];
/// The name of the node's end of its pair.
pub const PORT: &str = "interposer";

/// What precedes each frame: how the kernel completes its checksum and cuts it into packets.
const VNET_BYTES: usize = 10;
const FRAME_BYTES_MAX: usize = VNET_BYTES + 14 + 65_536;
/// How many frames may wait to be handed on; further ones are lost.
const WAITING_MAX: usize = 4096;

/// Frames come and go with the header of [`VNET_BYTES`].
#[derive(Clone)]
struct VnetHeader;

nix::setsockopt_impl!(VnetHeader, libc::SOL_PACKET, libc::PACKET_VNET_HDR, bool, SetBool);

/// Decides over a packet: when it goes on and to which address, or not at all.
pub type Decide = dyn Fn(&Packet) -> Option<(Duration, Ethernet)> + Send + Sync;

/// Creates the pair in a namespace of its own, where nothing else takes frames, and hands frames on from then on. Its
/// other end, [`PORT`] in the namespace `node`, still has to be attached to the bridge.
pub async fn start(node: Arc<OwnedFd>, decide: Arc<Decide>) -> Result<()> {
    let socket = on_own_thread("interposer", move || open(&node)).await?;
    let socket = watch(Arc::new(socket), Interest::READABLE).context("watch the interposer's socket")?;
    tokio::spawn(run(socket, decide));
    Ok(())
}

fn open(node: &OwnedFd) -> Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET).context("create the interposer's network")?;
    // A new namespace may take this setting from the host, and then the kernel would hand frames on, too.
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").context("keep the kernel from forwarding")?;
    netlink::block_on(async { netlink::add_pair(&netlink::connect()?, ADDRESS, PORT, node).await })??;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, Some(eth::IP));
    let socket = socket.context("create a packet socket")?;
    VnetHeader.set(&socket, &true).context("ask for the headers of frames")?;
    bind(socket.as_raw_fd(), &interface()?).context("bind the packet socket")?;
    Ok(socket)
}

/// Returns the pair's end in the calling thread's namespace.
fn interface() -> Result<SockaddrStorage> {
    let mut addresses = getifaddrs().context("list the interfaces")?;
    let own = addresses.find_map(|one| {
        let address = one.address.filter(|_| one.interface_name == POD_INTERFACE)?;
        address.as_link_addr().is_some().then_some(address)
    });
    own.context("the interposer has no interface")
}

async fn run(socket: Watched, decide: Arc<Decide>) {
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    let mut waiting = Waiting::default();
    loop {
        let due = waiting.due();
        tokio::select! {
            ready = socket.readable() => {
                let Ok(mut ready) = ready else { return };
                let received = ready.try_io(|socket| Ok(recv(socket, &mut buffer[..], RecvFlags::empty())?));
                if let Ok(Ok((length, _))) = received {
                    take(&mut buffer[..length], &*decide, &mut waiting);
                }
            }
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
        }
        for frame in waiting.take_due(Instant::now()) {
            match send(socket.get_ref(), &frame, SendFlags::empty()) {
                // A full queue loses frames, as on any link.
                Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS) => {}
                Err(error) => tracing::debug!(%error, "a diverted frame is lost"),
            }
        }
    }
}

fn take(frame: &mut [u8], decide: &Decide, waiting: &mut Waiting) {
    let Some(packet) = frame.get(VNET_BYTES..).and_then(Packet::of) else { return };
    let Some((delay, to)) = decide(&packet) else { return };
    frame[VNET_BYTES..VNET_BYTES + 6].copy_from_slice(&to);
    // With the sender's address, the bridge would send everything for the sender here.
    frame[VNET_BYTES + 6..VNET_BYTES + 12].copy_from_slice(&ADDRESS);
    waiting.add(Instant::now() + delay, (packet.from, packet.to), frame.to_vec());
}

/// Frames that wait to be handed on.
#[derive(Default)]
struct Waiting {
    /// By the time when they go on, and their number.
    frames: BTreeMap<(Instant, u64), Vec<u8>>,
    number: u64,
    /// When the last frame from one address to another goes on: none overtakes it.
    last: HashMap<(Ipv4Addr, Ipv4Addr), Instant>,
}

impl Waiting {
    fn add(&mut self, due: Instant, between: (Ipv4Addr, Ipv4Addr), frame: Vec<u8>) {
        if self.frames.len() >= WAITING_MAX {
            return;
        }
        let last = self.last.entry(between).or_insert(due);
        *last = due.max(*last);
        self.number += 1;
        self.frames.insert((*last, self.number), frame);
    }

    fn due(&self) -> Option<Instant> {
        self.frames.keys().next().map(|(due, _)| *due)
    }

    fn take_due(&mut self, now: Instant) -> impl Iterator<Item = Vec<u8>> {
        let later = self.frames.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.frames, later).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_on_when_they_are_due_and_none_overtakes_another_on_its_way() {
        let (one, other) = (Ipv4Addr::new(10, 244, 0, 2), Ipv4Addr::new(10, 244, 0, 3));
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut waiting = Waiting::default();
        waiting.add(now + ms(50), (one, other), vec![1]);
        waiting.add(now + ms(10), (one, other), vec![2]);
        waiting.add(now + ms(10), (other, one), vec![3]);
        assert_eq!(waiting.due(), Some(now + ms(10)));
        let taken = |waiting: &mut Waiting, at| waiting.take_due(now + ms(at)).flatten().collect::<Vec<_>>();
        assert_eq!(taken(&mut waiting, 9), [0; 0]);
        assert_eq!(taken(&mut waiting, 10), [3]);
        assert_eq!(taken(&mut waiting, 50), [1, 2]);
        assert_eq!(waiting.due(), None);
    }
}
