//! What nodes say to each other on the Raft port: JSON in frames with a length, one answer per request.

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

/// A request and the node it is meant for.
///
/// An address can pass to another node: pods come back under new ones. So whoever is not meant says so.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// The node meant; none where only the address is known.
    pub to: Option<u64>,
    /// What is asked.
    pub request: Request,
}

/// What one node asks of another.
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
    /// This member has another address now.
    Announce {
        /// Its id.
        id: u64,
        /// Its new Raft address.
        address: String,
    },
    /// Run a statement as the leader.
    Run(Statement),
}

/// The answer to a request.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To an append.
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    /// To a vote.
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    /// To a chunk of a snapshot.
    Snapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
    /// To a join: done.
    Joined,
    /// To a join: ask the leader, where one is known.
    AskLeader(Option<String>),
    /// To an announcement.
    Noted,
    /// To a statement.
    Ran(Reply),
    /// This is another node than the one meant.
    WrongNode(u64),
    /// It could not be done now.
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

/// Reads a frame; none where the other side closed the connection instead.
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

/// Asks on an open connection.
pub async fn ask(stream: &mut TcpStream, envelope: &Envelope) -> io::Result<Answer> {
    write(stream, envelope).await?;
    read(stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
