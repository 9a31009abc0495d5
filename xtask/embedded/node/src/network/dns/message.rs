//! DNS packets: one question in, records out. The wire format is hickory's; the limits on a response are set here.

use std::net::Ipv4Addr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, PTR, SOA, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record as WireRecord, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// What a resolver accepts over UDP by default.
const UDP_BYTES: u16 = 512;
/// The maximum over UDP, regardless of the resolver: such a packet is never fragmented.
const UDP_BYTES_MAX: u16 = 1232;
/// Time to live of every record, in seconds, and of every "no such name".
const TTL_S: u32 = 5;

/// The zone's name.
pub const ZONE: &str = "cluster.local";

/// The result of parsing a packet.
pub enum ParsedPacket {
    /// A question.
    Query(Query),
    /// Something to reject with this response.
    Refused(Vec<u8>),
    /// Something to ignore.
    Nothing,
}

/// One question.
#[derive(Debug)]
pub struct Query {
    id: u16,
    recursion_desired: bool,
    question: Question,
    /// The name, in lower case, without its final dot.
    pub name: String,
    /// The requested type of record.
    pub kind: RecordType,
    udp_bytes: Option<u16>,
}

impl Query {
    /// Returns how long a response over UDP may be.
    pub fn udp_bytes_max(&self) -> usize {
        self.udp_bytes.unwrap_or(0).clamp(UDP_BYTES, UDP_BYTES_MAX).into()
    }

    /// Returns whether records of this type are requested.
    pub fn wants(&self, kind: RecordType) -> bool {
        self.kind == kind || self.kind == RecordType::ANY
    }
}

/// A record, about `owner` or else the requested name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name that it is about.
    pub owner: Option<String>,
    /// Its data.
    pub data: RecordData,
}

/// The data of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordData {
    /// An address.
    A(Ipv4Addr),
    /// Another name for it.
    Cname(String),
    /// The name of an address.
    Ptr(String),
    /// Port and host.
    Srv(u16, String),
}

impl From<RecordData> for Record {
    fn from(data: RecordData) -> Self {
        Self { owner: None, data }
    }
}

/// A response.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Response {
    code: ResponseCode,
    /// Records that answer the question.
    pub answers: Vec<Record>,
    /// Records that save another question.
    pub additional: Vec<Record>,
}

impl Response {
    /// Returns a response with these records, which may be none.
    pub fn records(answers: Vec<Record>) -> Self {
        Self { code: ResponseCode::NoError, answers, additional: Vec::new() }
    }

    /// Returns the response for a name that does not exist.
    pub fn no_such_name() -> Self {
        Self { code: ResponseCode::NXDomain, ..Self::default() }
    }

    /// Returns the response for a name outside the server's zones.
    pub fn refused() -> Self {
        Self { code: ResponseCode::Refused, ..Self::default() }
    }

    /// Returns the response for a failure of the server.
    pub fn failure() -> Self {
        Self { code: ResponseCode::ServFail, ..Self::default() }
    }
}

/// Parses a packet; never panics, regardless of its content.
pub fn parse(packet: &[u8]) -> ParsedPacket {
    let Ok(Header { metadata, counts, .. }) = Header::read(&mut BinDecoder::new(packet)) else {
        return ParsedPacket::Nothing;
    };
    if metadata.message_type == MessageType::Response {
        return ParsedPacket::Nothing;
    }
    let refused = |code| bare(metadata.id, code).map_or(ParsedPacket::Nothing, ParsedPacket::Refused);
    if metadata.op_code != OpCode::Query {
        return refused(ResponseCode::NotImp);
    }
    // Check the count first: the decoder reserves memory for as many questions as the header promises.
    let message = if counts.queries == 1 { Message::from_vec(packet).ok() } else { None };
    let Some((question, edns)) = message.and_then(|message| Some((message.queries.into_iter().next()?, message.edns)))
    else {
        return refused(ResponseCode::FormErr);
    };
    if question.query_class() != DNSClass::IN {
        return refused(ResponseCode::Refused);
    }
    ParsedPacket::Query(Query {
        id: metadata.id,
        recursion_desired: metadata.recursion_desired,
        name: text(question.name()),
        kind: question.query_type(),
        question,
        udp_bytes: edns.map(|edns| edns.max_payload()),
    })
}

/// Returns a name in lower case, without its final dot. A byte that no name of a cluster contains makes the label one
/// that does not exist.
fn text(name: &Name) -> String {
    let plain = |b: &u8| if b.is_ascii_graphic() && *b != b'.' { b.to_ascii_lowercase().into() } else { '?' };
    let labels = name.iter().map(|label| label.iter().map(plain).collect::<String>());
    labels.collect::<Vec<_>>().join(".")
}

fn bare(id: u16, code: ResponseCode) -> Result<Vec<u8>, ProtoError> {
    Message::error_msg(id, OpCode::Query, code).to_vec()
}

/// Encodes a response; records that exceed `limit` bytes are left out, and it is marked as truncated. Returns `None` if
/// not even a failure can be encoded.
pub fn encode(query: &Query, response: &Response, limit: usize) -> Option<Vec<u8>> {
    let written = message(query, response).and_then(|message| fitting(message, limit));
    // An external name may be invalid in DNS.
    written.or_else(|_| bare(query.id, ResponseCode::ServFail)).ok()
}

fn fitting(mut message: Message, limit: usize) -> Result<Vec<u8>, ProtoError> {
    let whole = message.to_vec()?;
    if whole.len() <= limit && !is_cut(&whole) {
        return Ok(whole);
    }
    message.additionals.clear();
    let without_additional = message.to_vec()?;
    if without_additional.len() <= limit && !is_cut(&without_additional) {
        return Ok(without_additional);
    }
    message.truncate().to_vec()
}

/// Returns whether the encoder reached the maximum length of a message.
fn is_cut(packet: &[u8]) -> bool {
    packet.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

fn message(query: &Query, response: &Response) -> Result<Message, ProtoError> {
    let in_zone = matches!(response.code, ResponseCode::NoError | ResponseCode::NXDomain);
    let mut message = Message::error_msg(query.id, OpCode::Query, response.code);
    message.metadata.recursion_desired = query.recursion_desired;
    message.metadata.authoritative = in_zone;
    message.add_query(query.question.clone());
    let records = |records: &[Record]| records.iter().map(|record| wire(query, record)).collect::<Result<Vec<_>, _>>();
    message.add_answers(records(&response.answers)?);
    message.add_additionals(records(&response.additional)?);
    if in_zone && response.answers.is_empty() {
        message.add_authority(authority()?);
    }
    if query.udp_bytes.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_BYTES_MAX);
        message.set_edns(edns);
    }
    Ok(message)
}

fn wire(query: &Query, record: &Record) -> Result<WireRecord, ProtoError> {
    let owner = record.owner.as_ref().map_or_else(|| Ok(query.question.name().clone()), Name::from_ascii)?;
    let data = match &record.data {
        RecordData::A(address) => RData::A(A(*address)),
        RecordData::Cname(name) => RData::CNAME(CNAME(Name::from_ascii(name)?)),
        RecordData::Ptr(name) => RData::PTR(PTR(Name::from_ascii(name)?)),
        RecordData::Srv(port, name) => RData::SRV(SRV::new(0, 100, *port, Name::from_ascii(name)?)),
    };
    Ok(WireRecord::from_rdata(owner, TTL_S, data))
}

/// Returns the zone's SOA record, which also states how long "no such name" is valid.
fn authority() -> Result<WireRecord, ProtoError> {
    let (server, contact) = (Name::from_ascii("ns.dns.cluster.local")?, Name::from_ascii("hostmaster.cluster.local")?);
    let data = SOA::new(server, contact, 1, 7200, 1800, 86400, TTL_S);
    Ok(WireRecord::from_rdata(Name::from_ascii(ZONE)?, TTL_S, RData::SOA(data)))
}
