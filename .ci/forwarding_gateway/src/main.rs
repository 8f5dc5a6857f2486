//! A gateway that forwards, asked by a client for where it must not go: it refuses the address at
//! which clouds serve secrets, by name and by number, though the policy allows every https target.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use oblivious_http::client::{ClientLayer, Gateway, TargetPattern};
use oblivious_http::gateway::{GatewayKeys, GatewayLayer, TargetPolicy, TargetRule};
use oblivious_http::hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_http::hyper::{Forward, HttpClient, RequestBody, Resolver, server, tls};
use oblivious_http::keys::{KemId, Preferences, SymmetricSuite};
use oblivious_http::service::Content;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target = format!("http://{}", listener.local_addr()?);
    let hello = service_fn(|_: Request<RequestBody>| async {
        Ok::<_, Infallible>(Response::new(Content::from("hello")))
    });
    tokio::spawn(server::serve(listener, None, hello, pending()));

    // A name leads to the address that must not be reached, others to this machine.
    let resolver: Resolver = Arc::new(|name| {
        let metadata = name == "metadata.example";
        let address = if metadata { METADATA } else { Ipv4Addr::LOCALHOST.into() };
        Box::pin(async move { Ok(vec![address]) })
    });
    let inside = TcpListener::bind("127.0.0.1:0").await?;
    let port = inside.local_addr()?.port();
    let named = target.replace("127.0.0.1", "known.example");
    let policy = TargetPolicy::deny_all()
        .allow(TargetRule::any_https())
        .allow(target.parse::<TargetRule>()?)
        .allow(named.parse::<TargetRule>()?.internal(true));
    let forward = Forward::new(HttpClient::guarded_with_resolver(
        policy.clone(),
        tls::client_config(None)?,
        resolver,
    ));
    let mut ring = KeyRing::new();
    let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
    let published = ring.config_list()?;
    let gateway = GatewayLayer::new(GatewayKeys::from(ring)).targets(policy).layer(forward);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let gateway_uri = format!("http://{}/", listener.local_addr()?).parse()?;
    tokio::spawn(server::serve(listener, None, gateway, pending()));

    let recipient = Recipient::select(&published, &Preferences::default(), Provider::default())?;
    let gateway = Gateway::allowing_http(gateway_uri, recipient)?
        .allow(TargetPattern::any_https())
        .allow(TargetPattern::any_http());
    let client = ClientLayer::new(gateway).layer(HttpClient::new(tls::client_config(None)?));
    for (uri, expected) in [
        (format!("{target}/"), StatusCode::OK),
        (format!("{named}/"), StatusCode::OK),
        (format!("https://inside.example:{port}/"), StatusCode::BAD_GATEWAY),
        (format!("https://127.0.0.1:{port}/"), StatusCode::BAD_GATEWAY),
        (format!("https://{METADATA}/latest/meta-data"), StatusCode::BAD_GATEWAY),
        ("https://metadata.example/latest/meta-data".to_owned(), StatusCode::BAD_GATEWAY),
    ] {
        let request = Request::get(&uri).body(Content::default())?;
        let status = client.clone().oneshot(request).await?.status();
        println!("{uri}: {status}");
        if status != expected {
            return Err(format!("{uri} should be {expected}").into());
        }
    }
    // That nobody answers there would be a 502 as well: so it counts that nobody even called.
    match tokio::time::timeout(Duration::from_millis(100), inside.accept()).await {
        Ok(_) => Err("the gateway connected to an address that is not public".into()),
        Err(_) => Ok(()),
    }
}
