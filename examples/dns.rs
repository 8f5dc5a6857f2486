//! DNS messages (RFC 1035) through Oblivious HTTP, without HTTP inside: the payload of another
//! protocol, under its own labels and media types (RFC 9458 §4.6).
//!
//! ```sh
//! cargo run --release --example dns -- example.com
//! ```
//!
//! Client and gateway are in one process here, and call each other; normally a relay that passes
//! these media types would be in between.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use anyhow::Context;
use bytes::Bytes;
use oblivious_http::client::{ClientLayer, Gateway};
use oblivious_http::gateway::{GatewayKeys, GatewayLayer};
use oblivious_http::hpke::{KeyPair, KeyRing, Labels, Provider, Recipient};
use oblivious_http::keys::{KemId, KeyConfigList, SymmetricSuite};
use oblivious_http::service::Payload;
use simple_dns::rdata::{A, RData};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};
use tower::{Layer, ServiceExt, service_fn};

/// What the two parties agree on: what is sealed under these labels is never opened as anything
/// else, not even with the same key.
fn protocol() -> anyhow::Result<(Labels, Payload)> {
    let labels = Labels::new("message/example-dns request", "message/example-dns response")?;
    let payload = Payload::new("message/example-dns-req", "message/example-dns-res")?;
    Ok((labels, payload))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "example.com".into());
    let (labels, payload) = protocol()?;

    // Gateway: a key for these messages, and a resolver that takes and returns bytes.
    let suite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;
    let mut ring = KeyRing::with_labels(labels);
    ring.add(1, KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?, vec![suite])?;
    let published = ring.config_list()?.encode();
    let resolver = service_fn(|query: Bytes| async move { Ok::<_, Infallible>(resolve(&query)) });
    let gateway =
        GatewayLayer::for_payload(GatewayKeys::from(ring), payload.clone()).layer(resolver);

    // Client: a recipient with the same labels. Here the gateway itself takes the place of what
    // posts to the relay.
    let list = KeyConfigList::decode(&published)?;
    let config = list.configs().first().context("the gateway publishes a key")?;
    let recipient = Recipient::with_labels(config, suite, Provider::default(), &labels)?;
    let by_way_of = Gateway::new("https://relay.example/dns".parse()?, recipient)?;
    let client = ClientLayer::for_payload(by_way_of, payload).layer(gateway);

    let answer = client.oneshot(query(&name)?).await?;
    println!("{}", shown(&answer)?);
    Ok(())
}

/// The query for the addresses of a name. Its id is 0: there is nothing to guess that could be
/// answered by someone else, and nothing should tell one client's query from another's.
fn query(name: &str) -> anyhow::Result<Bytes> {
    let mut query = Packet::new_query(0);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).context("give the name of a host")?;
    query.questions.push(Question::new(name, TYPE::A.into(), CLASS::IN.into(), false));
    Ok(query.build_bytes_vec()?.into())
}

/// Answers from a zone of one name. What is no query is an answer too: only this function can tell
/// the client inside that something is wrong.
fn resolve(query: &[u8]) -> Bytes {
    let answered = Packet::parse(query).and_then(|query| {
        let mut answer = query.into_reply();
        let known = |question: &Question<'_>| {
            question.qname.to_string().eq_ignore_ascii_case("example.com")
                && question.qtype == QTYPE::TYPE(TYPE::A)
                && question.qclass == QCLASS::CLASS(CLASS::IN)
        };
        match answer.questions.first().filter(|question| known(question)) {
            Some(question) => {
                let address = RData::A(A { address: Ipv4Addr::new(192, 0, 2, 1).into() });
                let name = question.qname.clone();
                answer.answers.push(ResourceRecord::new(name, CLASS::IN, 300, address));
            }
            None => *answer.rcode_mut() = RCODE::NameError,
        }
        answer.build_bytes_vec()
    });
    let malformed = || {
        let mut answer = Packet::new_reply(0);
        *answer.rcode_mut() = RCODE::FormatError;
        answer.build_bytes_vec().unwrap_or_default()
    };
    answered.unwrap_or_else(|_| malformed()).into()
}

/// An answer as text.
fn shown(answer: &[u8]) -> anyhow::Result<String> {
    let answer = Packet::parse(answer)?;
    let lines = answer.answers.iter().map(|record| match &record.rdata {
        RData::A(A { address }) => format!("{} {}", record.name, Ipv4Addr::from(*address)),
        _ => format!("{} has a record of another type", record.name),
    });
    let lines = lines.collect::<Vec<_>>();
    Ok(if lines.is_empty() { format!("{:?}", answer.rcode()) } else { lines.join("\n") })
}
