//! Peers on loopback: each has its own address, and all have the same port, like pods.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a peer reacts to one request.
#[derive(Clone, Copy)]
pub enum Answer {
    Healthy,
    Unhealthy,
    /// Accepts the connection and never responds.
    Hang,
    /// Reads the request and closes the connection.
    HangUp,
    /// From now on nothing listens.
    Gone,
}

/// The state of a peer.
#[derive(Clone)]
pub enum Peer {
    /// Its name does not exist.
    Unresolved,
    /// Its name exists, nothing listens.
    Refusing,
    /// Reacts to requests as listed, and to all further ones like the last.
    Up(Vec<Answer>),
}

impl Peer {
    pub fn up<const N: usize>(answers: [Answer; N]) -> Peer {
        Peer::Up(answers.to_vec())
    }
}

/// Returns the loopback address of a peer. Peer 0 is the Service, since replica 0 never asks itself.
pub fn address(peer: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 10 + u8::try_from(peer).unwrap())
}

/// Listens for every peer that is up, all on one port; counts the requests to any of them.
pub fn serve(peers: &[Peer]) -> (u16, Arc<AtomicUsize>) {
    let questions = Arc::new(AtomicUsize::new(0));
    // First holds the port on every address, so that no other program listens on a refusing peer's.
    let (port, listeners) = (0..20).find_map(|_| bind_all(peers.len())).expect("no port is free on all addresses");
    for (peer, listener) in peers.iter().zip(listeners) {
        if let Peer::Up(answers) = peer.clone() {
            let questions = questions.clone();
            std::thread::spawn(move || listen(&listener, &answers, &questions));
        }
    }
    (port, questions)
}

fn bind_all(count: usize) -> Option<(u16, Vec<TcpListener>)> {
    let first = TcpListener::bind((address(0), 0)).ok()?;
    let port = first.local_addr().ok()?.port();
    let others = (1..count).map(|peer| TcpListener::bind((address(peer), port)).ok());
    let listeners = std::iter::once(Some(first)).chain(others).collect::<Option<Vec<_>>>()?;
    Some((port, listeners))
}

fn listen(listener: &TcpListener, answers: &[Answer], questions: &AtomicUsize) {
    let mut hanging = Vec::new();
    for turn in 0.. {
        let answer = answers[turn.min(answers.len() - 1)];
        if let Answer::Gone = answer {
            return;
        }
        let Ok((stream, _)) = listener.accept() else { return };
        questions.fetch_add(1, Ordering::SeqCst);
        match answer {
            Answer::Healthy => respond(stream, "200 OK"),
            Answer::Unhealthy => respond(stream, "503 Service Unavailable"),
            Answer::Hang => hanging.push(stream),
            Answer::HangUp | Answer::Gone => drop(read_request(&stream)),
        }
    }
}

fn respond(mut stream: TcpStream, status: &str) {
    read_request(&stream);
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// Reads to the end of the request's header, so that closing sends no reset.
fn read_request(mut stream: &TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
        request.push(byte[0]);
    }
    request
}
