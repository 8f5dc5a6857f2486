//! Oblivious HTTP on one machine: a client asks a target through a relay and a gateway, over real
//! sockets and TLS, and each party reports what it saw.
//!
//! ```sh
//! cargo run --release --example demo
//! ```
//!
//! Ends with exit code 0, or with 1 if any party saw something that it must not see.

mod check;
mod parties;
mod report;

use std::process::ExitCode;

use examples::error_report;
use examples::logging::{self, LogFormat};
use http::{Request, Response};
use oblivious_http::client::{ClientLayer, TargetPattern};
use oblivious_http::hpke::{Provider, Recipient};
use oblivious_http::keys::{KeyConfigList, Preferences};
use oblivious_http::service::{Content, collect};
use tower::{Layer, ServiceExt};

use crate::parties::{Client, Gateway, Relay, Target};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => error_report::report(Err(error)),
    }
}

/// Returns whether every party saw what it should see and nothing else.
async fn run() -> anyhow::Result<bool> {
    logging::init(LogFormat::Text, "warn");
    let target = Target::start().await?;
    let gateway = Gateway::start(&target).await?;
    let relay = Relay::start(&gateway).await?;
    let client = Client::new(&relay, &gateway)?;
    report::introduction(&target, &gateway, &relay);

    // The keys come from the gateway itself: a relay could substitute its own.
    let keys = client.fetch_keys(&gateway).await?;
    let list = KeyConfigList::decode(&keys)?;
    let recipient = Recipient::select(&list, &Preferences::default(), Provider::default())?;
    let by_way_of = oblivious_http::client::Gateway::new(relay.uri.clone(), recipient)?
        .allow(TargetPattern::any_https());
    let ohttp = ClientLayer::new(by_way_of).layer(client.clone());

    let mut as_expected = true;
    for question in questions(&target)? {
        report::question(&question);
        let (parts, body) = ohttp.clone().oneshot(question.clone()).await?.into_parts();
        let answer = Response::from_parts(parts, collect(body, 1 << 20).await?);
        let seen = report::Seen {
            relay: relay.witness.take(),
            gateway: gateway.witness.take(),
            inside: gateway.inside.take(),
            target: target.witness.take(),
        };
        report::parties(&seen);
        report::answer(&answer);
        as_expected &= report::findings(&check::findings(&question, &answer, &seen));
    }
    report::conclusion(as_expected);
    Ok(as_expected)
}

/// Two requests that nobody should be able to connect with the person who sends them.
fn questions(target: &Target) -> anyhow::Result<[Request<Content>; 2]> {
    let get = Request::get(target.party.uri("/advice?symptom=insomnia")?)
        .header("accept-language", "tlh")
        .body(Content::default())?;
    let post = Request::post(target.party.uri("/measurements")?)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Content::from("heart-rate=62&slept-hours=4"))?;
    Ok([get, post])
}
