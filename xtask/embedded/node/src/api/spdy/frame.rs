//! SPDY/3.1's frames, as far as port-forwarding needs them.

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest frame that is accepted: its length has 24 bits.
const FIN: u8 = 1;
const VERSION: u16 = 3 | 0x8000;

/// An incoming frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A new stream with its header block, still compressed.
    Syn {
        /// The stream.
        stream: u32,
        /// Whether the client will send nothing on it.
        is_final: bool,
        /// Its header block.
        block: Bytes,
    },
    /// Bytes of a stream.
    Data {
        /// The stream.
        stream: u32,
        /// Whether they are the last.
        is_final: bool,
        /// The bytes.
        data: Bytes,
    },
    /// A stream is aborted.
    Reset(u32),
    /// A ping, to be returned unchanged.
    Ping([u8; 4]),
    /// The client closes the connection.
    GoAway,
    /// A frame that can be ignored: settings, windows.
    Other,
}

/// Reads a frame; returns `None` if the connection ends or breaks.
pub async fn read(source: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 8];
    source.read_exact(&mut head).await.ok()?;
    let [a, b, c, d, flags, lengths @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes([0, lengths[0], lengths[1], lengths[2]])).ok()?;
    let mut body = vec![0; length];
    source.read_exact(&mut body).await.ok()?;
    let body = Bytes::from(body);
    let is_final = flags & FIN != 0;
    if a & 0x80 == 0 {
        return Some(Frame::Data { stream: u32::from_be_bytes([a, b, c, d]), is_final, data: body });
    }
    let first = body.first_chunk::<4>().copied();
    let stream = first.map(|bytes| u32::from_be_bytes(bytes) & 0x7fff_ffff);
    Some(match u16::from_be_bytes([c, d]) {
        // Stream, associated stream, priority and slot: ten bytes before the block.
        1 if body.len() >= 10 => Frame::Syn { stream: stream?, is_final, block: body.slice(10..) },
        3 => Frame::Reset(stream?),
        6 => Frame::Ping(first?),
        7 => Frame::GoAway,
        _ => Frame::Other,
    })
}

fn control(sort: u16, body: &[u8]) -> Bytes {
    let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
    [&VERSION.to_be_bytes()[..], &sort.to_be_bytes(), &[0], &length[1..], body].concat().into()
}

/// Returns the reply to a new stream.
pub fn reply(stream: u32, block: &[u8]) -> Bytes {
    control(2, &[&stream.to_be_bytes()[..], block].concat())
}

/// Returns the reply to a ping.
pub fn ping(id: [u8; 4]) -> Bytes {
    control(6, &id)
}

/// Returns a frame with bytes of a stream.
pub fn data(stream: u32, data: &[u8], is_final: bool) -> Bytes {
    let length = u32::try_from(data.len()).unwrap_or_default().to_be_bytes();
    [&stream.to_be_bytes()[..], &[u8::from(is_final)], &length[1..], data].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_read_as_they_are_written() {
        let bytes = [data(3, b"hi", true), ping([0, 0, 0, 9])].concat();
        let mut source = bytes.as_slice();
        let wanted = Frame::Data { stream: 3, is_final: true, data: Bytes::from_static(b"hi") };
        assert_eq!(read(&mut source).await, Some(wanted));
        assert_eq!(read(&mut source).await, Some(Frame::Ping([0, 0, 0, 9])));
        assert_eq!(read(&mut source).await, None);
    }
}
