//! The messages between nodes on the Raft port: JSON in frames with a length, one response for each request.

use std::io;

use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Types;
use crate::statements::{Reply, Statement};

/// Longest frame accepted, in bytes.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// A request and its intended recipient.
///
/// An address can pass to another node, since pods restart with new ones. A node that is not the recipient says so.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// The recipient; `None` if only the address is known.
    pub to: Option<u64>,
    /// The request itself.
    pub request: Request,
}

/// A request from one node to another.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Raft's replication and heartbeat.
    Append(AppendEntriesRequest<Types>),
    /// Raft's election.
    Vote(VoteRequest<u64>),
    /// Raft's snapshot, a chunk at a time.
    Snapshot(InstallSnapshotRequest<Types>),
    /// Make this node a member.
    Join {
        /// Its id.
        id: u64,
        /// Its Raft address.
        address: String,
    },
    /// Announces a member's new address.
    Announce {
        /// Its id.
        id: u64,
        /// Its new Raft address.
        address: String,
    },
    /// Runs a statement as the leader.
    Run(Statement),
}

/// The response to a request.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To an append.
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    /// To a vote.
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    /// To a chunk of a snapshot.
    Snapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
    /// To a join: it is done.
    Joined,
    /// To a join: ask the leader, if one is known.
    AskLeader(Option<String>),
    /// To an announcement.
    Noted,
    /// To a statement.
    Ran(Reply),
    /// This node is not the recipient.
    WrongNode(u64),
    /// It is not possible now.
    Failed(String),
}

/// Writes a frame.
pub async fn write(stream: &mut TcpStream, message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&json);
    stream.write_all(&frame).await
}

/// Reads a frame; returns `None` if the other side closed the connection.
pub async fn read<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other(format!("frame of {length} bytes, at most {FRAME_BYTES_MAX} are accepted")));
    }
    let mut json = vec![0; length];
    stream.read_exact(&mut json).await?;
    Ok(Some(serde_json::from_slice(&json)?))
}

/// Sends a request on an open connection.
pub async fn ask(stream: &mut TcpStream, envelope: &Envelope) -> io::Result<Answer> {
    write(stream, envelope).await?;
    read(stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
