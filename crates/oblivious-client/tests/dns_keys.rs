//! Keys of services that say in the DNS that they take Oblivious HTTP (RFC 9540).

mod common;

use std::{
    net::IpAddr,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::{Message, OpCode, ResponseCode},
        rr::{
            Name, RData, Record,
            rdata::{
                HTTPS, SVCB,
                svcb::{Alpn, Mandatory, SvcParamKey, SvcParamValue, Unknown},
            },
        },
    },
};
use http::{Request, Response, Uri};
use oblivious_client::{Demand, DnsKeys, KeySource, KeySourceError, KeyUrlError, UrlKeys};
use oblivious_service::{BoxError, Content};
use tokio::net::UdpSocket;
use tower::service_fn;

use common::published;

const OHTTP: SvcParamKey = SvcParamKey::Unknown(8);

/// A record of the zone: its name, and what it says.
type Entry = (&'static str, RData);

/// A DNS server on loopback that knows these records, and a resolver that asks it.
async fn resolver(zone: Vec<Entry>) -> TokioResolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let asked = query.queries[0].clone();
            let mut answer = Message::response(query.metadata.id, OpCode::Query);
            answer.metadata.recursion_available = true;
            answer.metadata.response_code = ResponseCode::NXDomain;
            for (name, data) in &zone {
                if Name::from_str(name).unwrap() == *asked.name() {
                    answer.metadata.response_code = ResponseCode::NoError;
                    if data.record_type() == asked.query_type() {
                        answer.add_answer(Record::from_rdata(
                            asked.name().clone(),
                            60,
                            data.clone(),
                        ));
                    }
                }
            }
            answer.add_query(asked);
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    resolver_at(port)
}

/// A resolver that asks the server at this port of loopback.
fn resolver_at(port: u16) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = port;
    let server = NameServerConfig::new(IpAddr::from([127, 0, 0, 1]), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.build().unwrap()
}

type Params = Vec<(SvcParamKey, SvcParamValue)>;

fn ohttp() -> (SvcParamKey, SvcParamValue) {
    (OHTTP, SvcParamValue::Unknown(Unknown(Vec::new())))
}

fn alpn(protocol: &str) -> (SvcParamKey, SvcParamValue) {
    (SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(vec![protocol.to_owned()])))
}

fn mandatory(keys: &[u16]) -> (SvcParamKey, SvcParamValue) {
    let keys = keys.iter().map(|&key| SvcParamKey::from(key)).collect();
    (SvcParamKey::Mandatory, SvcParamValue::Mandatory(Mandatory(keys)))
}

fn svcb(priority: u16, target: &str, params: Params) -> SVCB {
    SVCB::new(priority, Name::from_str(target).unwrap(), params)
}

fn https(priority: u16, target: &str, params: Params) -> RData {
    RData::HTTPS(HTTPS(svcb(priority, target, params)))
}

#[derive(Clone, Copy)]
enum Kind {
    Https,
    DnsServer,
}

/// Fetches the keys of an origin if its records let that happen: whether they do, and the question
/// that the origin was asked then.
async fn offered(kind: Kind, origin: &str, zone: Vec<Entry>) -> bool {
    let resolver = resolver(zone).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let noted = Arc::clone(&asked);
    let expected = format!("{origin}/.well-known/ohttp-gateway");
    let http_client = service_fn(move |request: Request<Content>| {
        assert_eq!(request.uri().to_string(), expected);
        noted.fetch_add(1, Ordering::Relaxed);
        let response = Response::builder().header("content-type", "application/ohttp-keys");
        let response = response.body(Content::from(published(1))).unwrap();
        async { Ok::<_, BoxError>(response) }
    });
    let keys = UrlKeys::discover(&origin.parse().unwrap(), http_client).unwrap();
    let source = match kind {
        Kind::Https => DnsKeys::new(keys, resolver),
        Kind::DnsServer => DnsKeys::of_dns_server(keys, resolver),
    };
    let is_offered = match source.unwrap().fetch(Demand::Cached).await {
        Ok(fetched) => {
            assert_eq!(fetched.list, published(1));
            true
        }
        Err(KeySourceError::NotOffered { name }) => {
            assert!(name.starts_with(origin), "{name}");
            false
        }
        Err(error) => panic!("{error:?}"),
    };
    // What is not offered is not asked for.
    assert_eq!(asked.load(Ordering::Relaxed), usize::from(is_offered));
    is_offered
}

/// RFC 9540 §4 and §4.1
#[tokio::test]
async fn https_records_offer_oblivious_http() {
    const ORIGIN: &str = "https://svc.example";
    const NAME: &str = "svc.example.";
    let valued = (OHTTP, SvcParamValue::Unknown(Unknown(vec![1])));
    let unknown = (SvcParamKey::Unknown(4711), SvcParamValue::Unknown(Unknown(Vec::new())));
    for (records, expected) in [
        (vec![https(1, ".", vec![alpn("h2"), ohttp()])], true),
        (vec![https(1, ".", vec![mandatory(&[8]), ohttp()])], true),
        (vec![https(1, "pool.example.", vec![ohttp()])], true),
        (vec![https(1, ".", vec![ohttp(), unknown.clone()])], true),
        (vec![https(1, ".", vec![alpn("h2")]), https(2, ".", vec![ohttp()])], true),
        (vec![https(1, ".", vec![alpn("h2")])], false),
        // It has no value, and nobody knows what one would mean.
        (vec![https(1, ".", vec![valued])], false),
        // RFC 9460 §8
        (vec![https(1, ".", vec![mandatory(&[8, 4711]), ohttp(), unknown])], false),
        // RFC 9460 §2.5.1: the service is not there.
        (vec![https(0, ".", Vec::new())], false),
        (Vec::new(), false),
    ] {
        let zone = records.iter().map(|record| (NAME, record.clone())).collect();
        assert_eq!(offered(Kind::Https, ORIGIN, zone).await, expected, "{records:?}");
    }
}

/// RFC 9460 §2.4.2: the records of another name count, and the keys are still those of the origin.
#[tokio::test]
async fn aliases_are_followed_but_not_for_ever() {
    const ORIGIN: &str = "https://svc.example";
    let alias = |target| https(0, target, Vec::new());
    let zone = vec![
        ("svc.example.", alias("one.example.")),
        ("one.example.", alias("two.example.")),
        ("two.example.", https(1, ".", vec![ohttp()])),
    ];
    assert!(offered(Kind::Https, ORIGIN, zone).await);
    let circle =
        vec![("svc.example.", alias("one.example.")), ("one.example.", alias("svc.example."))];
    assert!(!offered(Kind::Https, ORIGIN, circle).await);
}

/// RFC 9460 §9.1
#[tokio::test]
async fn another_port_has_records_of_its_own() {
    let record = || https(1, ".", vec![ohttp()]);
    let own = vec![("_8443._https.svc.example.", record())];
    assert!(offered(Kind::Https, "https://svc.example:8443", own).await);
    let of_443 = vec![("svc.example.", record())];
    assert!(!offered(Kind::Https, "https://svc.example:8443", of_443).await);
}

/// RFC 9540 §4.2 and §4.2.1, RFC 9461 §3 and §4.1: a server that takes queries over HTTP, under its own name.
#[tokio::test]
async fn a_dns_server_offers_oblivious_http() {
    const ORIGIN: &str = "https://dns.example";
    let path =
        (SvcParamKey::Unknown(7), SvcParamValue::Unknown(Unknown(b"/dns-query{?dns}".into())));
    let record = |target, params| vec![("_dns.dns.example.", RData::SVCB(svcb(1, target, params)))];
    for (zone, expected) in [
        (record("dns.example.", vec![alpn("h2"), path.clone(), ohttp()]), true),
        (record("dns.example.", vec![mandatory(&[1, 7, 8]), alpn("h3"), path, ohttp()]), true),
        (record("dns.example.", vec![alpn("dot"), ohttp()]), false),
        (record("dns.example.", vec![ohttp()]), false),
        (record("dns.example.", vec![alpn("h2")]), false),
        // Anybody could have forged that this is another host's.
        (record("other.example.", vec![alpn("h2"), ohttp()]), false),
        // The records of an https service are not those of a DNS server.
        (vec![("dns.example.", https(1, ".", vec![alpn("h2"), ohttp()]))], false),
    ] {
        assert_eq!(offered(Kind::DnsServer, ORIGIN, zone.clone()).await, expected, "{zone:?}");
    }
}

#[tokio::test]
async fn addresses_have_no_records() {
    let resolver = resolver(Vec::new()).await;
    let http_client = service_fn(|_: Request<Content>| async {
        Ok::<_, BoxError>(Response::new(Content::from(published(1))))
    });
    for origin in ["https://192.0.2.1/", "https://[2001:db8::1]/"] {
        let keys = UrlKeys::discover(&Uri::from_static(origin), http_client).unwrap();
        let refused = DnsKeys::new(keys, resolver.clone()).map(|_| ());
        assert!(matches!(refused, Err(KeyUrlError::NoDomainName { .. })), "{origin}");
    }
}

/// A DNS that does not answer is not one that says no.
#[tokio::test(start_paused = true)]
async fn a_dns_that_fails_is_an_error_of_its_own() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver = resolver_at(socket.local_addr().unwrap().port());
    let http_client = service_fn(|_: Request<Content>| async {
        Ok::<_, BoxError>(Response::new(Content::from(published(1))))
    });
    let origin = Uri::from_static("https://svc.example/");
    let keys = UrlKeys::discover(&origin, http_client).unwrap();
    let source = DnsKeys::new(keys, resolver).unwrap();
    let error = source.fetch(Demand::Cached).await.unwrap_err();
    assert!(matches!(error, KeySourceError::Unreachable { .. }), "{error:?}");
}
