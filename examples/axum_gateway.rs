//! An axum app that answers Oblivious HTTP as well as plain HTTP.
//!
//! ```sh
//! cargo run --example axum_gateway
//! ```

use axum::Router;
use axum::routing::{any_service, get};
use oblivious_http::gateway::{GatewayKeys, GatewayLayer, Origin, PublishKeys};
use oblivious_http::hpke::{KeyPair, KeyRing, Provider};
use oblivious_http::keys::{KemId, SymmetricSuite};
use oblivious_http::service::Live;
use tower::Layer;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The app as it was.
    let app = Router::new().route("/hello", get(|| async { "hello\n" }));

    // A key that lasts as long as the process. In production take a KeySchedule.
    let mut ring = KeyRing::new();
    let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
    let keys = Live::new(GatewayKeys::from(ring));

    // Encapsulated requests for this origin are answered by the same app.
    let origin: Origin = "https://example.com".parse()?;
    let gateway = GatewayLayer::new(keys.clone()).targets(origin).layer(app.clone());
    let app = app
        .route("/gateway", any_service(gateway))
        .route("/ohttp-keys", any_service(PublishKeys::new(keys)));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    oblivious_hyper::server::serve(listener, None, app, examples::shutdown::requested()).await;
    Ok(())
}
