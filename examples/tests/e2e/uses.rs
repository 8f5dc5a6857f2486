//! The examples of what Oblivious HTTP is used for.

use std::net::Ipv6Addr;
use std::process::Output;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use oblivious_hyper::server;
use simple_dns::rdata::{AAAA, PTR, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::net::TcpListener;

use crate::programs::{Server, contains, program, run};
use crate::recorder::Recorder;
use crate::setup::{relay_to, stderr, text};

/// Relay and gateway, and a target that speaks JSON and DNS.
struct Setup {
    relay: Server,
    gateway: Server,
    origin: String,
}

impl Setup {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/json", post(json)).route("/dns-query", post(dns_query));
        tokio::spawn(server::serve(listener, None, router, std::future::pending()));
        let gateway = Server::start("gateway", &["--allow-target", &origin, "--generate-key"]);
        Self { relay: relay_to(&gateway.url("/gateway")), gateway, origin }
    }

    /// Runs the program `doh`.
    fn doh(&self, arguments: &[&str]) -> Output {
        self.doh_by_way_of(&self.relay.url("/gateway"), arguments)
    }

    fn doh_by_way_of(&self, relay: &str, arguments: &[&str]) -> Output {
        let mut command = program("doh");
        command.args(["--relay", relay, "--keys", &self.gateway.url("/ohttp-keys")]);
        command.env("DOH_RESOLVER", format!("{}/dns-query{{?dns}}", self.origin));
        command.arg("--allow-http").args(arguments).output().unwrap()
    }
}

/// The question, in an answer.
async fn json(headers: HeaderMap, question: Bytes) -> impl axum::response::IntoResponse {
    assert_eq!(headers["content-type"], "application/json");
    ([("content-type", "application/json")], [b"{\"asked\":", &question[..], b"}"].concat())
}

/// A resolver that knows one name, over an implementation of DNS that shares no code with that of
/// the program. Its answers have been in a cache for 100 seconds.
async fn dns_query(headers: HeaderMap, query: Bytes) -> impl axum::response::IntoResponse {
    assert_eq!(headers["content-type"], "application/dns-message");
    let query = Packet::parse(&query).unwrap();
    // RFC 8484 §4.1
    assert_eq!(query.id(), 0);
    assert!(query.has_flags(PacketFlag::RECURSION_DESIRED));
    let mut answer = query.into_reply();
    let question = answer.questions[0].clone();
    let data = match (question.qname.to_string().as_str(), question.qtype) {
        ("example.com", QTYPE::TYPE(TYPE::AAAA)) => {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            Some(RData::AAAA(AAAA { address: address.into() }))
        }
        ("example.com", QTYPE::TYPE(TYPE::TXT)) => {
            Some(RData::TXT(TXT::new().with_string("a \"quote\" and \u{1b}[31m").unwrap()))
        }
        ("1.2.0.192.in-addr.arpa", QTYPE::TYPE(TYPE::PTR)) => {
            Some(RData::PTR(PTR(Name::new_unchecked("example.com"))))
        }
        _ => None,
    };
    match data {
        Some(data) => {
            let record = ResourceRecord::new(question.qname, CLASS::IN, 300, data);
            answer.answers.push(record);
        }
        None => *answer.rcode_mut() = RCODE::NameError,
    }
    let media_type = ("content-type", "Application/DNS-message; charset=binary");
    ([media_type, ("age", "100")], answer.build_bytes_vec().unwrap())
}

/// RFC 8484 §4.2.1, §5.1
#[tokio::test(flavor = "multi_thread")]
async fn doh_asks_like_dig() {
    let setup = Setup::start().await;
    let answer = text(&setup.doh(&["example.com", "aaaa"]));
    assert!(answer.contains("opcode: QUERY, status: NOERROR, id: 0\n"), "{answer}");
    assert!(answer.contains(";; QUESTION SECTION:\n;example.com.\t\tIN\tAAAA\n"), "{answer}");
    // The cache has had it for 100 of 300 seconds.
    let record = ";; ANSWER SECTION:\nexample.com.\t200\tIN\tAAAA\t2001:db8::1\n";
    assert!(answer.contains(record), "{answer}");
    let resolver = format!("{}/dns-query", setup.origin);
    assert!(answer.contains(&format!(";; RESOLVER: {resolver}, through ")), "{answer}");

    assert_eq!(text(&setup.doh(&["+short", "TYPE28", "example.com"])), "2001:db8::1\n");
    // Nothing in an answer moves the terminal.
    let txt = text(&setup.doh(&["txt", "example.com", "+short"]));
    assert_eq!(txt, "\"a \\\"quote\\\" and \\027[31m\"\n");
    assert_eq!(text(&setup.doh(&["-x", "192.0.2.1", "+short"])), "example.com.\n");
    let unknown = text(&setup.doh(&["unknown.example"]));
    assert!(unknown.contains("status: NXDOMAIN") && unknown.contains("\tIN\tA\n"), "{unknown}");

    for (arguments, message) in [
        (&["a.example", "b.example"][..], "\"b.example\" is one name too many"),
        (&["a..example"], "\"a..example\" is not a domain name"),
        (&["+tls", "a.example"], "there is no option +tls"),
        (&["a.example", "@http://127.0.0.1:1/"], "status 403"),
        (&["a.example", &format!("@{}/nothing", setup.origin)], "status 404"),
        (&["a.example", &format!("@{}/json", setup.origin)], "status"),
    ] {
        let output = setup.doh(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
}

/// RFC 9458 §6.2.3: the length of what is sealed tells nothing of the name. §6.1: http is taken only
/// where it is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn doh_tells_the_relay_nothing() {
    let setup = Setup::start().await;
    let recorder = Recorder::start(setup.relay.address()).await;
    let relay = format!("http://{}/gateway", recorder.address);
    for name in ["a.example", "a-name-that-is-a-good-deal-longer.and-has-more-labels.example"] {
        let answer = text(&setup.doh_by_way_of(&relay, &[name]));
        assert!(answer.contains("NXDOMAIN"), "{answer}");
    }
    let seen = recorder.towards();
    assert!(!contains(&seen, b"a.example") && !contains(&seen, b"dns"));
    let seen = String::from_utf8_lossy(&seen).to_lowercase();
    let lengths: Vec<_> = seen.lines().filter(|line| line.starts_with("content-length:")).collect();
    assert_eq!(lengths.len(), 2, "{lengths:?}");
    assert_eq!(lengths[0], lengths[1]);

    let url = setup.relay.url("/gateway");
    let keys = setup.gateway.url("/ohttp-keys");
    let fixed = ["--relay", &url, "--keys", &keys, "@https://dns.example/dns-query"];
    let refused = run("doh", &[&fixed[..], &["a.example"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("is not https"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn reqwest_carries_a_call_with_json() {
    let setup = Setup::start().await;
    let [relay, keys] = [setup.relay.url("/gateway"), setup.gateway.url("/ohttp-keys")];
    let call = |path: &str, json: &str| {
        run("reqwest_client", &[&relay, &keys, &format!("{}{path}", setup.origin), json])
    };
    let answer = text(&call("/json", "{\"question\": [1, 2]}"));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer, serde_json::json!({ "asked": { "question": [1, 2] } }));

    let missing = call("/nothing", "{}");
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("404"), "{}", stderr(&missing));
}

#[test]
fn telemetry_cannot_be_linked() {
    let shown = text(&run("telemetry", &["--devices", "4", "--reports", "3"]));
    // Devices met, reports read, tied to a device, known to be of one device.
    for (who, counts) in [
        ("collector, directly", "4 12 12 12"),
        ("relay", "4 0 0 0"),
        ("gateway", "0 12 0 0"),
        ("collector", "0 12 0 0"),
        ("gateway and collector", "0 12 0 0"),
        ("relay and gateway", "4 12 12 12"),
    ] {
        let row = format!("{who} {counts}");
        let found =
            shown.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == row);
        assert!(found, "there is no {row} in {shown}");
    }
    assert!(!shown.contains("NO "), "{shown}");
}

#[test]
fn a_chat_is_not_held_back() {
    let shown = text(&run("chat", &["Who am I?"]));
    assert!(shown.starts_with("> Who am I?\n\nI got a prompt of 22 bytes"), "{shown}");
    for how in ["directly", "through Oblivious HTTP", "the same, not in chunks"] {
        assert!(shown.contains(&format!("\n    {how} ")), "{shown}");
    }
    assert!(shown.contains("The relay passed on "), "{shown}");
}
