//! This program in the role of a container's program.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Runs the container's program for a hidden word; returns `None` without one.
pub fn run_if_asked(arguments: &[String]) -> Option<ExitCode> {
    let done = match arguments.get(1)?.as_str() {
        crate::SERVE => serve(arguments.get(2)?),
        crate::FETCH => fetch(arguments.get(2)?),
        crate::REACH => reach(arguments.get(2)?),
        crate::SEND => send(arguments.get(2)?),
        crate::HEAR => hear(arguments.get(2)?),
        crate::NEIGHBOURS => neighbours(arguments.get(2)?),
        crate::SHOW => show(),
        crate::REWRITE => rewrite(),
        _ => return None,
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return Some(ExitCode::FAILURE);
    }
    Some(ExitCode::SUCCESS)
}

fn serve(address: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {address}");
    let hostname = std::fs::read_to_string("/etc/hostname")?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        write!(stream, "hello from {}", hostname.trim())?;
        if hostname.trim() == crate::TALKATIVE {
            stream.write_all(&vec![b'.'; crate::TALKATIVE_BYTES])?;
        }
    }
    Ok(())
}

fn fetch(address: &str) -> std::io::Result<()> {
    let mut text = String::new();
    TcpStream::connect(address)?.read_to_string(&mut text)?;
    println!("{text}");
    Ok(())
}

/// Prints how an attempt to connect within a second ends, and how much the other side then sends.
fn reach(address: &str) -> std::io::Result<()> {
    let begun = Instant::now();
    match TcpStream::connect_timeout(&address.parse().map_err(std::io::Error::other)?, Duration::from_secs(1)) {
        Ok(mut stream) => {
            let bytes = stream.read_to_end(&mut Vec::new())?;
            println!("{bytes} bytes after {} ms", begun.elapsed().as_millis());
        }
        Err(error) => println!("{:?}", error.kind()),
    }
    Ok(())
}

/// Sends a packet each tenth of a second, until it is killed.
#[expect(clippy::disallowed_methods, reason = "the sender's pace; nobody waits for it")]
fn send(address: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    println!("sending to {address}");
    loop {
        socket.send_to(b"hello", address)?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Prints whether a packet arrives within a second.
fn hear(address: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    println!("{}", if socket.recv(&mut [0; 16]).is_ok() { "heard" } else { "silence" });
    Ok(())
}

/// Prints the kernel's neighbours after something was sent there; nobody has to listen.
fn neighbours(address: &str) -> std::io::Result<()> {
    drop(TcpStream::connect(address));
    println!("{}", std::fs::read_to_string("/proc/net/arp")?);
    Ok(())
}

/// Tries to write to its own file, through the host's path.
fn rewrite() -> std::io::Result<()> {
    std::fs::File::options().write(true).truncate(true).open("/proc/self/exe").map(drop)
}

fn show() -> std::io::Result<()> {
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let here = std::env::current_dir()?;
    let value = |name| std::env::var(name).unwrap_or_default();
    println!(
        "user {} group {} in {}, HOME={}, FROM={}",
        user.as_raw(),
        group.as_raw(),
        here.display(),
        value("HOME"),
        value("FROM")
    );
    let mut capability = [0; 64];
    let length = rustix::fs::lgetxattr("/bin/capable", "security.capability", &mut capability).unwrap_or(0);
    let second = if length > 5 { format!("{:02x}", capability[5]) } else { "none".into() };
    println!("/bin/capable {second}");
    let written = |path| std::fs::write(path, "").is_ok();
    let seed = std::fs::read_to_string("/data/seed")?;
    println!("{seed}, written {} {}", written("/data/new"), written("/new"));
    Ok(())
}
