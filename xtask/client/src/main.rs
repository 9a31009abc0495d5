//! `chartproof-client`: writes and reads from inside the cluster, for whoever connects and says what.

use std::net::Ipv4Addr;

use anyhow::Context;
use client::inside;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let port = inside::PORT;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    let listener = listener.with_context(|| format!("listening on port {port}"))?;
    eprintln!("listening on port {port}");
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, from) = accepted.context("accepting a connection")?;
                tokio::spawn(async move {
                    eprintln!("{from} connected");
                    match inside::serve(stream).await {
                        Ok(()) => eprintln!("{from} is done"),
                        Err(error) => eprintln!("{from}: {error:#}"),
                    }
                });
            }
            _ = terminated.recv() => return Ok(()),
        }
    }
}
