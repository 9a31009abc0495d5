//! `chartproof-client`: writes and reads from inside the cluster, for a harness that connects to it. With the arguments
//! `install FOLDER` it copies itself, to run in a container of another image.

use std::fmt;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context;
use client::inside;
use tokio::net::TcpListener;

mod install;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    if let [_, command, folder] = std::env::args().collect::<Vec<_>>().as_slice()
        && command == "install"
    {
        return install::install(Path::new(folder));
    }
    let port = inside::PORT;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    let listener = listener.with_context(|| format!("listening on port {port}"))?;
    note(format_args!("listening on port {port}"));
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, from) = accepted.context("accepting a connection")?;
                tokio::spawn(async move {
                    note(format_args!("{from} connected"));
                    match inside::serve(stream).await {
                        Ok(()) => note(format_args!("{from} disconnected")),
                        Err(error) => note(format_args!("{from}: {error:#}")),
                    }
                });
            }
            _ = terminated.recv() => return Ok(()),
        }
    }
}

/// Prints a line to the container's log. Failing to write is no reason to stop.
fn note(line: fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
