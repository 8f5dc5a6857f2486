//! A client over reqwest, the HTTP client that many programs have already. With the gateway and the
//! relay of the README running:
//!
//! ```sh
//! cargo run --release --example reqwest_client -- http://127.0.0.1:8082/gateway \
//!     http://127.0.0.1:8081/ohttp-keys http://127.0.0.1:8081/health
//! ```

use anyhow::Context;
use http::Request;
use http_body_util::BodyExt;
use oblivious_http::client::{
    ClientLayer, Gateway, KeyCache, ReqwestClient, TargetPattern, UrlKeys,
};
use oblivious_http::service::{FullBody, TokioTimer};
use tower::{Layer, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut urls = std::env::args().skip(1);
    let mut url = || urls.next().context("name the URLs of a relay, of keys and of a target");
    let (relay, keys, target) = (url()?.parse()?, url()?.parse()?, url()?);

    let tls = oblivious_hyper::tls::client_config(None)?;
    let http_client =
        ReqwestClient::new(reqwest::Client::builder().tls_backend_preconfigured(tls))?;
    let keys = KeyCache::new(UrlKeys::allowing_http(keys, http_client.clone())?, TokioTimer);
    let gateway = Gateway::allowing_http(relay, keys)?
        .allow(TargetPattern::any_https())
        .allow(TargetPattern::any_http());
    let client = ClientLayer::new(gateway).layer(http_client);

    let response = client.oneshot(Request::get(target).body(FullBody::empty())?).await?;
    println!("{}", response.status());
    let content = response.into_body().collect().await?.to_bytes();
    print!("{}", String::from_utf8_lossy(&content));
    Ok(())
}
