//! The client asks the DNS first whether a service takes Oblivious HTTP (RFC 9540 §4).

#![cfg(feature = "dns")]

use std::net::UdpSocket;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue, Unknown};
use hickory_proto::rr::rdata::{HTTPS, SVCB};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::programs::run;
use crate::setup::{Setup, stderr, text};

/// A DNS server in which one name has an HTTPS record with the parameter `ohttp`, and the others
/// have nothing. Returns its address.
fn dns(name: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let name = Name::from_ascii(name).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let asked = query.queries[0].clone();
            let mut answer = Message::response(query.metadata.id, OpCode::Query);
            if *asked.name() == name && asked.query_type() == RecordType::HTTPS {
                let ohttp = (SvcParamKey::Unknown(8), SvcParamValue::Unknown(Unknown(Vec::new())));
                let record = RData::HTTPS(HTTPS(SVCB::new(1, Name::root(), vec![ohttp])));
                answer.add_answer(Record::from_rdata(name.clone(), 60, record));
            }
            answer.add_query(asked);
            socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_discovered_if_the_dns_says_so() {
    let setup = Setup::start().await;
    let port = setup.gateway.address().rsplit_once(':').unwrap().1;
    let (relay, url) = (setup.relay.url("/gateway"), setup.target.url("/length"));
    let server = dns(&format!("_{port}._https.gateway.example."));
    for (host, code) in [("gateway.example", 0), ("other.example", 8)] {
        let (origin, resolved) =
            (format!("http://{host}:{port}"), format!("{host}:{port}:127.0.0.1"));
        let arguments = ["--discover", &origin, "--dns", "--dns-servers", &server];
        let rest = ["--resolve", &resolved, "--relay", &relay, "-d", "12345", &url];
        let asked = run("client", &[&arguments[..], &rest].concat());
        assert_eq!(asked.status.code(), Some(code), "{host}: {}", stderr(&asked));
        match code {
            0 => assert_eq!(text(&asked), "5"),
            _ => assert!(stderr(&asked).contains("the DNS does not say"), "{}", stderr(&asked)),
        }
        // Without the DNS it works in any case.
        let plain = run("client", &[&arguments[..2], &rest].concat());
        assert_eq!(text(&plain), "5");
    }
}
