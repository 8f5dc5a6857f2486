//! A client over reqwest, the HTTP client that many programs already have; here for a call that
//! sends and receives JSON.
//!
//! ```sh
//! cargo run --release --example reqwest_client -- https://relay.example/gateway \
//!     https://gateway.example/ohttp-keys https://api.example/echo '{"question": 42}'
//! ```

use anyhow::{Context, ensure};
use http::{Request, header};
use http_body_util::BodyExt;
use oblivious_http::client::{
    ClientLayer, Gateway, KeyCache, ReqwestClient, TargetPattern, UrlKeys,
};
use oblivious_http::service::{Content, TokioTimer};
use serde_json::Value;
use tower::{Layer, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, keys, target, json] = arguments
        .try_into()
        .ok()
        .context("write reqwest_client RELAY_URL KEYS_URL TARGET_URL JSON")?;

    // Where TLS is reqwest's own, Client::builder() is enough. http is only for trying it on one
    // machine.
    let tls = oblivious_hyper::tls::client_config(None)?;
    let http_client =
        ReqwestClient::new(reqwest::Client::builder().tls_backend_preconfigured(tls))?;
    let keys = UrlKeys::allowing_http(keys.parse()?, http_client.clone())?;
    let gateway = Gateway::allowing_http(relay.parse()?, KeyCache::new(keys, TokioTimer))?
        .allow(TargetPattern::any_https())
        .allow(TargetPattern::any_http());
    let client = ClientLayer::new(gateway).layer(http_client);

    let question: Value = serde_json::from_str(&json)?;
    let request = Request::post(target)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Content::from(question.to_string()))?;
    let response = client.oneshot(request).await?;
    ensure!(response.status().is_success(), "the answer has status {}", response.status());
    let answer: Value = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
    println!("{answer:#}");
    Ok(())
}
