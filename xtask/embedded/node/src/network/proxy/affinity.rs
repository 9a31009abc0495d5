//! Which endpoint a connection goes to: the next one, or the one that its client had before.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many clients are remembered for one port; beyond that, the least recently seen are forgotten.
const CLIENTS_MAX: usize = 4096;

/// The clients of one port of a service.
pub struct Affinity {
    /// How long a client keeps its endpoint; `None` without affinity.
    kept_for: Option<Duration>,
    clients: Mutex<HashMap<IpAddr, (SocketAddr, Instant)>>,
    /// How many connections were forwarded.
    turn: AtomicUsize,
}

impl Affinity {
    /// Returns an affinity that remembers nobody yet.
    pub fn new(kept_for: Option<Duration>) -> Self {
        Self { kept_for, clients: Mutex::default(), turn: AtomicUsize::new(0) }
    }

    /// Chooses an endpoint: the client's own while it exists, or else the next one in turn.
    pub fn choose(&self, client: IpAddr, endpoints: &[SocketAddr]) -> Option<SocketAddr> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let any = *endpoints.get(turn.checked_rem(endpoints.len())?)?;
        let Some(kept_for) = self.kept_for else { return Some(any) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh =
            |(endpoint, seen): &(SocketAddr, Instant)| seen.elapsed() < kept_for && endpoints.contains(endpoint);
        let chosen = clients.get(&client).filter(|known| fresh(known)).map_or(any, |(endpoint, _)| *endpoint);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&client) {
            let oldest = clients.iter().min_by_key(|(_, (_, seen))| *seen).map(|(client, _)| *client);
            oldest.and_then(|oldest| clients.remove(&oldest));
        }
        clients.insert(client, (chosen, Instant::now()));
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Vec<SocketAddr> {
        (1..=3).map(|n| SocketAddr::from(([10, 244, 0, n], 80))).collect()
    }

    #[test]
    fn endpoints_take_turns_without_affinity() {
        let affinity = Affinity::new(None);
        let client = IpAddr::from([10, 244, 0, 9]);
        let chosen: Vec<_> = (0..3).filter_map(|_| affinity.choose(client, &endpoints())).collect();
        assert_eq!(chosen, endpoints());
        assert_eq!(affinity.choose(client, &[]), None);
    }

    #[test]
    fn a_client_keeps_its_endpoint_while_it_exists() {
        let affinity = Affinity::new(Some(Duration::from_secs(60)));
        let client = IpAddr::from([10, 244, 0, 9]);
        let first = affinity.choose(client, &endpoints()).unwrap();
        assert_eq!(affinity.choose(client, &endpoints()), Some(first));
        let others: Vec<_> = endpoints().into_iter().filter(|e| *e != first).collect();
        assert_ne!(affinity.choose(client, &others), Some(first));
    }

    #[test]
    fn the_number_of_remembered_clients_is_limited() {
        let affinity = Affinity::new(Some(Duration::from_secs(60)));
        for n in 0..u32::try_from(CLIENTS_MAX).unwrap() + 10 {
            affinity.choose(IpAddr::from(n.to_be_bytes()), &endpoints());
        }
        assert_eq!(affinity.clients.lock().unwrap().len(), CLIENTS_MAX);
    }
}
