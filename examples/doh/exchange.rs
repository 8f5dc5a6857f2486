//! The exchange with the resolver: DNS over HTTPS (RFC 8484), encapsulated.

use anyhow::{Context, ensure};
use examples::error_report::Hint;
use hickory_proto::op::{Message, MessageType};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use oblivious_http::bhttp::Padding;
use oblivious_http::client::{
    ClientError, ClientLayer, FixedKeys, Gateway, KeyCacheBuilder, KeySource, UrlKeys,
};
use oblivious_http::service::{Content, Timeout, TokioTimer, collect};
use oblivious_hyper::{HttpClient, tls};
use tower::{Layer, ServiceExt};

use crate::Args;
use crate::question::Question;

const DNS_MESSAGE: &str = "application/dns-message";

/// The longest DNS message there is (RFC 8484 §6).
const MAX_MESSAGE: usize = 65_535;

/// Requests are padded to a multiple of this, since the length of a name says much about it.
const PADDED_TO: usize = 256;

/// What the resolver has said.
pub(crate) struct Answer {
    pub(crate) message: Message,
    /// Of the message, in bytes.
    pub(crate) length: usize,
}

/// The resolver's URL, which may be the URI template that its operator publishes (RFC 8484 §4.1).
pub(crate) fn resolver(url: &str) -> anyhow::Result<Uri> {
    let url = url.strip_suffix("{?dns}").unwrap_or(url);
    let uri: Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
    ensure!(
        uri.scheme().is_some(),
        "{url:?} is not the URL of a resolver: write https://HOST/PATH"
    );
    Ok(uri)
}

/// Asks, and checks that what comes back answers the question.
pub(crate) async fn ask(
    args: &Args,
    resolver: &Uri,
    question: &Question,
) -> anyhow::Result<Answer> {
    let http_client = HttpClient::new(tls::client_config_with_file(args.ca.as_deref())?);
    let timeout = Timeout::new(args.timeout.duration(), TokioTimer);
    let client = ClientLayer::new(gateway(args, resolver, &http_client)?)
        .pad_requests(Padding::ToMultiple(PADDED_TO))
        .timeout(timeout)
        .layer(http_client);
    let dns_message = HeaderValue::from_static(DNS_MESSAGE);
    let request = Request::post(resolver)
        .header(header::CONTENT_TYPE, &dns_message)
        .header(header::ACCEPT, &dns_message)
        .body(Content::from(question.to_bytes()?))?;
    let (parts, body) = client.oneshot(request).await.map_err(explain)?.into_parts();
    ensure!(parts.status == StatusCode::OK, "the resolver answers with status {}", parts.status);
    ensure!(is_dns_message(&parts.headers), "the resolver answers with something other than DNS");
    let data = collect(body, MAX_MESSAGE).await?.data;
    let mut message = Message::from_vec(&data).context("the answer is not a DNS message")?;
    let metadata = &message.metadata;
    let answers = metadata.message_type == MessageType::Response && metadata.id == 0;
    // Some only say that they could not read the question.
    let asked = message.queries.iter().all(|query| *query == question.query);
    ensure!(answers && asked, "the answer is for another question");
    pass_time(&mut message, age(&parts.headers));
    Ok(Answer { message, length: data.len() })
}

/// How to reach the gateway, for nothing but the resolver.
fn gateway(args: &Args, resolver: &Uri, http_client: &HttpClient) -> anyhow::Result<Gateway> {
    if resolver.scheme() == Some(&Scheme::HTTP) && !args.allow_http {
        return Err(anyhow::anyhow!("the resolver {resolver} is not https"))
            .context(Hint("for a test there is --allow-http"));
    }
    let keys = KeyCacheBuilder::new(key_source(args, http_client)?, TokioTimer)
        .provider(args.provider.provider()?)
        .build();
    let relay = args.relay.clone();
    let gateway = if args.allow_http {
        Gateway::allowing_http(relay, keys)
    } else {
        Gateway::new(relay, keys)
    };
    let origin = resolver.scheme_str().zip(resolver.authority());
    let (scheme, authority) = origin.context("the resolver's URL names no host")?;
    Ok(gateway?.allow(format!("{scheme}://{authority}").parse()?))
}

fn key_source(args: &Args, http_client: &HttpClient) -> anyhow::Result<Box<dyn KeySource>> {
    let keys = &args.keys;
    if !keys.contains("://") {
        let list =
            std::fs::read(keys).with_context(|| format!("cannot read the keys in {keys}"))?;
        let list = FixedKeys::new(list);
        return Ok(Box::new(
            list.with_context(|| format!("{keys} contains no key configurations"))?,
        ));
    }
    let url: Uri = keys.parse().with_context(|| format!("{keys:?} is not a URL"))?;
    let source = if args.allow_http {
        UrlKeys::allowing_http(url, http_client.clone())
    } else {
        UrlKeys::new(url, http_client.clone())
    };
    Ok(Box::new(source?))
}

/// Adds what to do to errors where there is something to do.
fn explain(error: ClientError) -> anyhow::Error {
    let hint = match error {
        ClientError::NotEncapsulated { status: StatusCode::NOT_FOUND } => {
            "the relay knows no gateway at this path: check --relay"
        }
        ClientError::KeyRejected => "fetch the gateway's key configurations again for --keys",
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(Hint(hint))
}

fn is_dns_message(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let parsed = value.and_then(|value| mediatype::MediaType::parse(value).ok());
    let expected = mediatype::MediaType::parse(DNS_MESSAGE);
    parsed.is_some_and(|parsed| expected.is_ok_and(|expected| parsed.essence() == expected))
}

/// How long the answer has been in caches, in seconds.
fn age(headers: &HeaderMap) -> u32 {
    let value = headers.get(header::AGE).and_then(|value| value.to_str().ok());
    let age = value.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0);
    u32::try_from(age).unwrap_or(u32::MAX)
}

/// Takes the age from the time that each record has left (RFC 8484 §5.1).
fn pass_time(message: &mut Message, age: u32) {
    let sections = [&mut message.answers, &mut message.authorities, &mut message.additionals];
    for record in sections.into_iter().flatten() {
        record.ttl = record.ttl.saturating_sub(age);
    }
}
