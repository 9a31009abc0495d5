//! SPDY/3.1's header blocks: names and values, compressed with a dictionary that both sides know.

use flate2::{Decompress, FlushDecompress};

/// The words of the dictionary, each preceded by its length.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host \
    if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
    keep-alive origin";
/// The text that ends the dictionary.
const TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 \
    Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept \
    Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=\
    utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// A zlib stream with a dictionary begins with two bytes and the dictionary's checksum.
const PREFIX_BYTES: usize = 6;
/// No client sends a larger block.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in WORDS.split(' ') {
        let word = word.replace('_', " ");
        bytes.extend(u32::try_from(word.len()).unwrap_or_default().to_be_bytes());
        bytes.extend(word.as_bytes());
    }
    bytes.extend(TEXT.as_bytes());
    bytes
}

/// Reads the blocks of one connection, which form one stream.
pub struct Reader {
    inflater: Decompress,
    is_first: bool,
}

impl Reader {
    /// Returns a reader that knows the dictionary, which it reads first as an uncompressed block.
    pub fn new() -> Self {
        let mut reader = Self { inflater: Decompress::new(false), is_first: true };
        let dictionary = dictionary();
        let _ = reader.inflate(&stored(&dictionary));
        reader
    }

    /// Returns the names and values of a block.
    pub fn read(&mut self, block: &[u8]) -> Option<Vec<(String, String)>> {
        let start = if std::mem::take(&mut self.is_first) { PREFIX_BYTES } else { 0 };
        let plain = self.inflate(block.get(start..)?)?;
        let mut rest = plain.as_slice();
        let count = number(&mut rest)?;
        (0..count).map(|_| Some((text(&mut rest)?, text(&mut rest)?))).collect()
    }

    fn inflate(&mut self, mut input: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::with_capacity(4096);
        while !input.is_empty() && plain.len() < BLOCK_BYTES_MAX {
            plain.reserve(4096);
            let before = self.inflater.total_in();
            self.inflater.decompress_vec(input, &mut plain, FlushDecompress::Sync).ok()?;
            let read = usize::try_from(self.inflater.total_in() - before).ok()?;
            input = &input[read..];
        }
        Some(plain)
    }
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*number))
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Returns a deflate block with uncompressed bytes.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or_default();
    [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
}

/// Returns an empty header block, the `n`th that this side writes, uncompressed. Go's reader delivers a block only when
/// it sees the empty one that a flush leaves behind it.
pub fn empty_block(n: usize) -> Vec<u8> {
    let prefix: &[u8] = if n == 0 { &[0x78, 0x01] } else { &[] };
    [prefix, &stored(&0_u32.to_be_bytes()), &stored(&[])].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adler32(bytes: &[u8]) -> u32 {
        let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65521;
            (a, (a + b) % 65521)
        });
        b << 16 | a
    }

    #[test]
    fn the_dictionary_has_the_checksum_that_clients_expect() {
        assert_eq!((dictionary().len(), adler32(&dictionary())), (1423, 0xe3c6_a7c2));
    }

    #[test]
    fn blocks_form_one_stream() {
        let block = |name: &str, value: &str| {
            let part = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
            [1_u32.to_be_bytes().to_vec(), part(name), part(value)].concat()
        };
        let mut reader = Reader::new();
        let prefix = [0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2];
        let first = [&prefix[..], &stored(&block("port", "80"))].concat();
        assert_eq!(reader.read(&first).unwrap(), [("port".to_owned(), "80".to_owned())]);
        let second = stored(&block("streamtype", "data"));
        assert_eq!(reader.read(&second).unwrap(), [("streamtype".to_owned(), "data".to_owned())]);
    }
}
