//! DNS packets (RFC 1035): one question in, records out.

use std::net::Ipv4Addr;

const HEADER_BYTES: usize = 12;
const NAME_BYTES_MAX: usize = 255;
/// What a resolver takes over UDP without saying more.
const UDP_BYTES: usize = 512;
/// What is sent over UDP at most, whatever the resolver says: it fits every path's packets.
const UDP_BYTES_MAX: usize = 1232;
/// Time to live of every answer, in seconds, and of every «there is no such name».
const TTL_S: u32 = 5;

/// The zone's name.
pub const ZONE: &str = "cluster.local";

/// Types of records.
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// Another name.
    pub const CNAME: u16 = 5;
    /// Start of authority.
    pub const SOA: u16 = 6;
    /// The name of an address.
    pub const PTR: u16 = 12;
    /// Host and port of a service.
    pub const SRV: u16 = 33;
    /// Extension (EDNS).
    pub const OPT: u16 = 41;
    /// Whatever there is.
    pub const ANY: u16 = 255;
}

const NO_ERROR: u8 = 0;
const MALFORMED: u8 = 1;
const FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

/// What a packet turned out to be.
pub enum Verdict {
    /// A question.
    Query(Query),
    /// Something to be refused with this answer.
    Refused(Vec<u8>),
    /// Nothing that is to be answered at all.
    Nothing,
}

/// One question.
#[derive(Debug)]
pub struct Query {
    id: [u8; 2],
    recursion_desired: bool,
    question: Vec<u8>,
    /// The name, in lower case, without its final dot.
    pub name: String,
    /// The type of record asked for.
    pub kind: u16,
    udp_bytes: Option<u16>,
}

impl Query {
    /// How long an answer over UDP may be.
    pub fn udp_bytes_max(&self) -> usize {
        usize::from(self.udp_bytes.unwrap_or(0)).clamp(UDP_BYTES, UDP_BYTES_MAX)
    }

    /// Whether records of this type are asked for.
    pub fn wants(&self, kind: u16) -> bool {
        self.kind == kind || self.kind == kind::ANY
    }
}

/// A record; where there is no owner, it is about the name asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name that it is about.
    pub owner: Option<String>,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An address.
    A(Ipv4Addr),
    /// Another name for it.
    Cname(String),
    /// The name of an address.
    Ptr(String),
    /// Port and host.
    Srv(u16, String),
}

impl From<Data> for Record {
    fn from(data: Data) -> Self {
        Self { owner: None, data }
    }
}

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Response {
    code: u8,
    /// Records that answer the question.
    pub answers: Vec<Record>,
    /// Records that spare the next question.
    pub additional: Vec<Record>,
}

impl Response {
    /// These records; none of them says that the name has others.
    pub fn records(answers: Vec<Record>) -> Self {
        Self { code: NO_ERROR, answers, additional: Vec::new() }
    }

    /// There is no such name.
    pub fn no_such_name() -> Self {
        Self { code: NO_SUCH_NAME, ..Self::default() }
    }

    /// Not a name that this server knows about.
    pub fn refused() -> Self {
        Self { code: REFUSED, ..Self::default() }
    }

    /// The server is at fault.
    pub fn failure() -> Self {
        Self { code: FAILURE, ..Self::default() }
    }
}

/// Reads a packet; never panics, whatever is in it.
pub fn parse(packet: &[u8]) -> Verdict {
    let Some((header, rest)) = packet.split_at_checked(HEADER_BYTES) else { return Verdict::Nothing };
    let [id_high, id_low, flags, ..] = header else { return Verdict::Nothing };
    let id = [*id_high, *id_low];
    let is_response = flags & 0x80 != 0;
    let opcode = (flags >> 3) & 0x0f;
    if is_response {
        return Verdict::Nothing;
    }
    if opcode != 0 {
        return Verdict::Refused(bare(id, NOT_IMPLEMENTED));
    }
    let questions = u16::from_be_bytes([header[4], header[5]]);
    let Some((name, used)) = (questions == 1).then(|| read_name(rest)).flatten() else {
        return Verdict::Refused(bare(id, MALFORMED));
    };
    let Some(&[kind_high, kind_low, class_high, class_low]) = rest.get(used..used + 4) else {
        return Verdict::Refused(bare(id, MALFORMED));
    };
    if u16::from_be_bytes([class_high, class_low]) != 1 {
        return Verdict::Refused(bare(id, REFUSED));
    }
    Verdict::Query(Query {
        id,
        recursion_desired: flags & 1 != 0,
        question: rest[..used + 4].to_vec(),
        name,
        kind: u16::from_be_bytes([kind_high, kind_low]),
        udp_bytes: extension(header, &rest[used + 4..]),
    })
}

/// A name without compression, which a question has no use for, and the bytes that it took.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        let label = bytes.get(at..at + length).filter(|_| length < 64)?;
        at += length;
        if at > NAME_BYTES_MAX {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        // A byte that no name of a cluster has makes the label one that is not there.
        name.extend(
            label.iter().map(|b| if b.is_ascii_graphic() && *b != b'.' { b.to_ascii_lowercase().into() } else { '?' }),
        );
    }
}

/// The UDP size of an EDNS record, where it is the first thing after the question.
fn extension(header: &[u8], rest: &[u8]) -> Option<u16> {
    let only_additional = header[6..10] == [0; 4] && header[10..12] != [0; 2];
    let opt = kind::OPT.to_be_bytes();
    let &[0, high, low, size_high, size_low] = rest.get(..5)? else { return None };
    (only_additional && [high, low] == opt).then(|| u16::from_be_bytes([size_high, size_low]))
}

fn bare(id: [u8; 2], code: u8) -> Vec<u8> {
    let mut packet = vec![0; HEADER_BYTES];
    packet[..2].copy_from_slice(&id);
    packet[2] = 0x80;
    packet[3] = code;
    packet
}

/// Writes an answer; what does not fit into `limit` bytes is left out and said to be.
pub fn encode(query: &Query, response: &Response, limit: usize) -> Vec<u8> {
    let whole = packet(query, response);
    if whole.len() <= limit {
        return whole;
    }
    let brief = Response { additional: Vec::new(), answers: response.answers.clone(), code: response.code };
    let without_additional = packet(query, &brief);
    if without_additional.len() <= limit {
        return without_additional;
    }
    let mut cut = packet(query, &Response { answers: Vec::new(), ..brief });
    cut[2] |= 0x02;
    cut
}

fn packet(query: &Query, response: &Response) -> Vec<u8> {
    let in_zone = matches!(response.code, NO_ERROR | NO_SUCH_NAME);
    let authority = in_zone && response.answers.is_empty();
    let mut packet = bare(query.id, response.code);
    packet[2] |= u8::from(query.recursion_desired) | if in_zone { 0x04 } else { 0 };
    let extended = query.udp_bytes.is_some();
    let counts = [1, response.answers.len(), usize::from(authority), response.additional.len() + usize::from(extended)];
    for (at, count) in counts.into_iter().enumerate() {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        packet[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
    }
    packet.extend(&query.question);
    response.answers.iter().for_each(|record| write_record(&mut packet, record));
    if authority {
        write_authority(&mut packet);
    }
    response.additional.iter().for_each(|record| write_record(&mut packet, record));
    if extended {
        let [high, low] = u16::try_from(UDP_BYTES_MAX).unwrap_or(u16::MAX).to_be_bytes();
        packet.extend([0, 0, 41, high, low, 0, 0, 0, 0, 0, 0]);
    }
    packet
}

fn write_record(packet: &mut Vec<u8>, record: &Record) {
    match &record.owner {
        Some(name) => write_name(packet, name),
        // The name stands in the question, right after the header.
        None => packet.extend([0xc0, 0x0c]),
    }
    let mut data = Vec::new();
    let kind = match &record.data {
        Data::A(address) => {
            data.extend(address.octets());
            kind::A
        }
        Data::Cname(name) => {
            write_name(&mut data, name);
            kind::CNAME
        }
        Data::Ptr(name) => {
            write_name(&mut data, name);
            kind::PTR
        }
        Data::Srv(port, name) => {
            // Priority 0, weight 100.
            data.extend([0, 0, 0, 100]);
            data.extend(port.to_be_bytes());
            write_name(&mut data, name);
            kind::SRV
        }
    };
    write_data(packet, kind, &data);
}

fn write_authority(packet: &mut Vec<u8>) {
    write_name(packet, ZONE);
    let mut data = Vec::new();
    write_name(&mut data, "ns.dns.cluster.local");
    write_name(&mut data, "hostmaster.cluster.local");
    for number in [1, 7200, 1800, 86400, TTL_S] {
        data.extend(number.to_be_bytes());
    }
    write_data(packet, kind::SOA, &data);
}

fn write_data(packet: &mut Vec<u8>, kind: u16, data: &[u8]) {
    packet.extend(kind.to_be_bytes());
    packet.extend(1_u16.to_be_bytes());
    packet.extend(TTL_S.to_be_bytes());
    packet.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(data);
}

/// Names of objects have labels of 63 bytes at most; a longer one would be cut.
fn write_name(packet: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        packet.push(u8::try_from(label.len()).unwrap_or(63));
        packet.extend(label);
    }
    packet.push(0);
}
