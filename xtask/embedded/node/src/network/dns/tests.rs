use hickory_proto::rr::RecordType;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::client::Object;
use crate::controllers::testing;
use crate::faults::Faults;
use message::RecordData;

fn add<K: Object + DeserializeOwned>(client: &Client, object: Value) {
    client.create(&serde_json::from_value::<K>(object).unwrap()).unwrap();
}

fn endpoint(ip: &str, hostname: Option<&str>, ready: bool) -> Value {
    json!({"addresses": [ip], "hostname": hostname, "conditions": {"ready": ready}})
}

fn server() -> Server {
    let client = testing::client();
    add::<Namespace>(&client, json!({"metadata": {"name": "a"}}));
    let ports = json!([{"name": "http", "port": 80}]);
    add::<Service>(
        &client,
        json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"clusterIP": "10.96.0.7", "ports": ports}}),
    );
    add::<Service>(&client, json!({"metadata": {"name": "db", "namespace": "a"}, "spec": {"clusterIP": "None"}}));
    add::<Service>(&client, json!({"metadata": {"name": "down", "namespace": "a"}, "spec": {"clusterIP": "None"}}));
    add::<Service>(
        &client,
        json!({"metadata": {"name": "far", "namespace": "a"}, "spec": {"type": "ExternalName", "externalName": "example.org"}}),
    );
    let slice = |service: &str, endpoints: Value| {
        json!({
            "metadata": {"name": service, "namespace": "a", "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "raft", "protocol": "TCP", "port": 9001}],
        })
    };
    let both = json!([
        endpoint("10.244.0.2", Some("db-0"), true),
        endpoint("10.244.0.3", None, true),
        endpoint("10.244.0.4", Some("db-2"), false)
    ]);
    add::<EndpointSlice>(&client, slice("db", both));
    add::<EndpointSlice>(&client, slice("down", json!([endpoint("10.244.0.9", None, false)])));
    Server { client, faults: PlantedFaults::default(), connections: Semaphore::new(1) }
}

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let kind = u16::from(kind);
    let mut packet = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.as_bytes());
    }
    packet.extend([0, u8::try_from(kind >> 8).unwrap(), u8::try_from(kind & 255).unwrap(), 0, 1]);
    packet
}

/// Returns code and records of a response as text.
fn ask(server: &Server, name: &str, kind: RecordType) -> String {
    let ParsedPacket::Query(query) = message::parse(&question(name, kind)) else { panic!("no question") };
    let packet = server.answer(&question(name, kind), None).unwrap();
    let response = server.look_up(&query);
    assert_eq!(packet[..2], [0xab, 0xcd]);
    assert_eq!(usize::from(packet[7]), response.answers.len());
    let records: Vec<String> = response
        .answers
        .iter()
        .map(|record| match &record.data {
            RecordData::A(address) => address.to_string(),
            RecordData::Cname(name) | RecordData::Ptr(name) => name.clone(),
            RecordData::Srv(port, host) => format!("{port} {host}"),
        })
        .collect();
    format!("{} {}", packet[3], records.join(", "))
}

#[test]
fn names_resolve_as_in_kubernetes() {
    let server = server();
    for (name, kind, expected) in [
        ("web.a.svc.cluster.local", RecordType::A, "0 10.96.0.7"),
        ("WEB.A.svc.Cluster.local", RecordType::A, "0 10.96.0.7"),
        ("web.a.svc.cluster.local", RecordType::AAAA, "0 "),
        ("db.a.svc.cluster.local", RecordType::A, "0 10.244.0.2, 10.244.0.3"),
        ("db.a.svc.cluster.local", RecordType::AAAA, "0 "),
        ("down.a.svc.cluster.local", RecordType::A, "3 "),
        ("db-0.db.a.svc.cluster.local", RecordType::A, "0 10.244.0.2"),
        ("db-2.db.a.svc.cluster.local", RecordType::A, "3 "),
        ("10-244-0-3.db.a.svc.cluster.local", RecordType::A, "0 10.244.0.3"),
        (
            "_raft._tcp.db.a.svc.cluster.local",
            RecordType::SRV,
            "0 9001 db-0.db.a.svc.cluster.local, 9001 10-244-0-3.db.a.svc.cluster.local",
        ),
        ("_http._tcp.web.a.svc.cluster.local", RecordType::SRV, "0 80 web.a.svc.cluster.local"),
        ("_http._udp.web.a.svc.cluster.local", RecordType::SRV, "3 "),
        ("far.a.svc.cluster.local", RecordType::A, "0 example.org"),
        ("10-244-0-99.a.pod.cluster.local", RecordType::A, "0 10.244.0.99"),
        ("10-244-0-99.b.pod.cluster.local", RecordType::A, "3 "),
        ("a.svc.cluster.local", RecordType::A, "0 "),
        ("b.svc.cluster.local", RecordType::A, "3 "),
        ("cluster.local", RecordType::A, "0 "),
        ("web.a.svc.cluster.local.a.svc.cluster.local", RecordType::A, "3 "),
        ("web.a", RecordType::A, "5 "),
        ("example.org", RecordType::A, "5 "),
        ("notcluster.local", RecordType::A, "5 "),
        ("7.0.96.10.in-addr.arpa", RecordType::PTR, "0 web.a.svc.cluster.local"),
        ("2.0.244.10.in-addr.arpa", RecordType::PTR, "0 db-0.db.a.svc.cluster.local"),
        ("8.0.96.10.in-addr.arpa", RecordType::PTR, "3 "),
        ("8.8.8.8.in-addr.arpa", RecordType::PTR, "5 "),
    ] {
        assert_eq!(ask(&server, name, kind), expected, "{name} {kind}");
    }
}

#[test]
fn a_planted_fault_is_a_server_failure() {
    let server = Server {
        faults: PlantedFaults::new(
            serde_json::from_value::<Faults>(json!([{"fault": "dnsFails", "of": "web.a.*", "times": 1}])).unwrap(),
        ),
        ..server()
    };
    let code = |name: &str| server.answer(&question(name, RecordType::A), None).unwrap()[3];
    assert_eq!(
        [code("db.a.svc.cluster.local"), code("web.a.svc.cluster.local"), code("web.a.svc.cluster.local")],
        [0, 2, 0]
    );
}

#[test]
fn a_response_that_does_not_fit_is_marked_as_truncated() {
    let server = server();
    let endpoints: Vec<Value> = (0..100).map(|n| endpoint(&format!("10.244.1.{n}"), None, true)).collect();
    add::<Service>(
        &server.client,
        json!({"metadata": {"name": "many", "namespace": "a"}, "spec": {"clusterIP": "None"}}),
    );
    add::<EndpointSlice>(
        &server.client,
        json!({
            "metadata": {"name": "many", "namespace": "a", "labels": {"kubernetes.io/service-name": "many"}},
            "addressType": "IPv4", "endpoints": endpoints,
        }),
    );
    let query = question("many.a.svc.cluster.local", RecordType::A);
    let cut = server.answer(&query, None).unwrap();
    assert!(cut.len() <= 512 && cut[2] & 2 != 0, "truncated responses have the TC bit");
    let whole = server.answer(&query, Some(65535)).unwrap();
    assert_eq!((whole[2] & 2, whole[7]), (0, 100));
}

#[test]
fn a_packet_that_is_not_a_question_is_rejected_or_dropped() {
    let server = server();
    assert_eq!(server.answer(&[], None), None);
    let mut response = question("web.a.svc.cluster.local", RecordType::A);
    response[2] |= 0x80;
    assert_eq!(server.answer(&response, None), None, "a response gets no response: two servers would never stop");
    let mut pointer = question("web.a.svc.cluster.local", RecordType::A);
    pointer[12] = 0xc0;
    assert_eq!(server.answer(&pointer, None).unwrap()[3], 1);
    let mut update = question("web.a.svc.cluster.local", RecordType::A);
    update[2] = 5 << 3;
    assert_eq!(server.answer(&update, None).unwrap()[3], 4);
}

#[tokio::test]
async fn tcp_and_udp_give_the_same_response() {
    let server = Arc::new(server());
    let query = question("web.a.svc.cluster.local", RecordType::A);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (tcp_address, udp_address) = (listener.local_addr().unwrap(), socket.local_addr().unwrap());
    let tasks = [tokio::spawn(tcp(Arc::clone(&server), listener)), tokio::spawn(udp(server, socket))];

    let mut stream = TcpStream::connect(tcp_address).await.unwrap();
    let length = u16::try_from(query.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes(), query.as_slice()].concat()).await.unwrap();
    let mut over_tcp = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut over_tcp).await.unwrap();

    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(&query, udp_address).await.unwrap();
    let mut over_udp = vec![0; 512];
    let length = timeout(IDLE, peer.recv(&mut over_udp)).await.unwrap().unwrap();
    assert_eq!(over_udp[..length], over_tcp);
    assert_eq!(over_tcp[over_tcp.len() - 4..], [10, 96, 0, 7]);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_packet_makes_it_panic(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
        let server = Server { client: testing::client(), faults: PlantedFaults::default(), connections: Semaphore::new(1) };
        let _ = server.answer(&packet, None);
    }

    #[test]
    fn no_damaged_question_makes_it_panic(at in 0_usize..41, byte: u8, length in 0_usize..50) {
        let mut packet = question("web.a.svc.cluster.local", RecordType::A);
        if let Some(hit) = packet.get_mut(at) { *hit = byte; }
        packet.truncate(length);
        let _ = server().answer(&packet, None);
    }
}
