//! A gateway whose target is a function in the same process, for `run.sh` to load: what the
//! gateway itself costs, without forwarding.
//!
//! `GET /ohttp-keys` gives the keys, `GET /answered` how many requests the target has answered.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    routing::{any_service, get},
};
use clap::ValueEnum;
use examples::{provider::ProviderName, shutdown};
use http::Response;
use oblivious_gateway::{GatewayKeys, GatewayLayer, MemoryReplayGuard, Origin, PublishKeys};
use oblivious_hpke::{KeyPair, KeyRing, UnixSeconds};
use oblivious_hyper::{
    Workers,
    server::{self, Options},
};
use oblivious_keys::{KemId, SymmetricSuite};
use oblivious_service::{BoxError, Content, Live};
use tower::{Layer, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let usage = "say: load-in-process ADDRESS PROVIDER x25519|x-wing";
    let address = arguments.next().ok_or(usage)?;
    let provider = ProviderName::from_str(&arguments.next().ok_or(usage)?, false)?.provider()?;
    let kem = match arguments.next().as_deref() {
        Some("x25519") => KemId::X25519_HKDF_SHA256,
        Some("x-wing") => KemId::X_WING,
        _ => return Err(usage.into()),
    };
    let pair = KeyPair::generate(kem, provider)?;
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
    let keys = Live::new(GatewayKeys::from(ring));

    let answered = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&answered);
    let target = service_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, BoxError>(Response::new(Content::from("hello\n"))) }
    });
    let gateway = GatewayLayer::new(keys.clone())
        .targets("http://127.0.0.1:18080".parse::<Origin>()?)
        .replay_guard(MemoryReplayGuard::new(4 << 20, UnixSeconds::now())?)
        .layer(target);
    let router = Router::new()
        .route("/gateway", any_service(gateway))
        .route("/ohttp-keys", any_service(PublishKeys::new(keys)))
        .route("/answered", get(async move || answered.load(Ordering::Relaxed).to_string()));
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let workers = Some(Workers::start(None)?);
    let options = Options { workers, ..Options::default() };
    server::serve_with(listener, options, router, shutdown::requested()).await;
    Ok(())
}
