//! A chat that nobody can connect with the person who asks: the answer arrives token by token,
//! through Oblivious HTTP in chunks, and about as soon as it would directly. All on this machine.
//!
//! ```sh
//! cargo run --release --example chat -- "Is this rash dangerous?"
//! ```
//!
//! Ends with exit code 0, or with 1 if an answer was changed or held back on its way.

mod events;
mod model;
mod parties;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use examples::error_report;
use examples::logging::{self, LogFormat};
use http::{Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use oblivious_http::service::{BoxError, Content};
use tower::{Service, ServiceExt};

use crate::events::Tokens;
use crate::parties::{Clients, Parties};

/// Asks a model, directly and through Oblivious HTTP, and shows when its answer comes.
#[derive(Parser)]
#[command(name = "chat", version)]
struct Args {
    /// What to ask.
    #[arg(value_name = "PROMPT", default_value = "Who gets to know that I asked?")]
    prompt: String,
}

/// An answer, and when it came.
struct Heard {
    text: String,
    begun: Instant,
    first: Instant,
    last: Instant,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse().prompt).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => error_report::report(Err(error)),
    }
}

/// Returns whether the answers were the same, and the one in chunks arrived as it was produced.
async fn run(prompt: &str) -> anyhow::Result<bool> {
    logging::init(LogFormat::Text, "warn");
    let parties = Parties::start().await?;
    let Clients { direct, in_chunks, whole } = parties.clients()?;
    let request = || {
        let prompt = serde_json::json!({ "prompt": prompt }).to_string();
        let request = Request::post(parties.model.uri("/chat")?);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        anyhow::Ok(request.body(Content::from(prompt))?)
    };

    println!("> {prompt}\n");
    let directly = hear(direct, request()?, |_| ()).await?;
    parties.relayed.take();
    // The one that is shown as it comes.
    let streamed = hear(in_chunks, request()?, show).await?;
    let (pieces, last_written) = (parties.relayed.take(), parties.written.last());
    let whole = hear(whole, request()?, |_| ()).await?;

    println!("\n\n    {:<27}{:>14}{:>14}", "", "first token", "last token");
    line("directly", &directly);
    line("through Oblivious HTTP", &streamed);
    line("the same, not in chunks", &whole);
    if let Some(usual) = most_frequent(&pieces) {
        println!(
            "\nThe relay passed on {} sealed pieces, most of them of {usual} bytes. It saw when they \
             came, and how\nlong they were: so the model pads its tokens, or their lengths would \
             tell what they are.",
            pieces.len()
        );
    }
    let same = directly.text == streamed.text && directly.text == whole.text;
    let held_back = last_written.is_none_or(|last| streamed.first >= last);
    if !same || held_back {
        println!("\nThis is NOT as it should be: an answer was changed or held back on its way.");
    }
    Ok(same && !held_back)
}

/// Sends a request on an existing connection, and reads the answer as it comes.
async fn hear<S, B>(
    mut client: S,
    request: Request<Content>,
    mut show: impl FnMut(&str),
) -> anyhow::Result<Heard>
where
    S: Service<Request<Content>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body<Data: Send, Error: Into<BoxError>> + Unpin,
{
    let mut ready = request.uri().clone().into_parts();
    ready.path_and_query = Some("/ready".parse()?);
    let ready = Request::get(http::Uri::from_parts(ready)?).body(Content::default())?;
    let answer = call(&mut client, ready).await?;
    answer.into_body().collect().await.map_err(anyhow_error)?;

    let begun = Instant::now();
    let mut body = call(&mut client, request).await?.into_body();
    let (mut tokens, mut text, mut first) = (Tokens::default(), String::new(), None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(anyhow_error)?.into_data() else { continue };
        for token in tokens.read(data)? {
            first.get_or_insert_with(Instant::now);
            show(&token);
            text.push_str(&token);
        }
    }
    ensure!(tokens.are_complete(), "the answer broke off");
    let last = Instant::now();
    Ok(Heard { text, begun, first: first.unwrap_or(last), last })
}

async fn call<S, B>(client: &mut S, request: Request<Content>) -> anyhow::Result<Response<B>>
where
    S: Service<Request<Content>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    let response = client.ready().await.map_err(anyhow_error)?.call(request).await;
    let response = response.map_err(anyhow_error)?;
    ensure!(response.status() == StatusCode::OK, "the answer has status {}", response.status());
    Ok(response)
}

fn anyhow_error(error: impl Into<BoxError>) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into())
}

fn most_frequent(lengths: &[usize]) -> Option<usize> {
    let count = |length: usize| lengths.iter().filter(|other| **other == length).count();
    lengths.iter().copied().max_by_key(|length| count(*length))
}

fn show(token: &str) {
    print!("{token}");
    // A later arrival is a pity, but not an error.
    let _ = std::io::stdout().flush();
}

fn line(how: &str, heard: &Heard) {
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let [first, last] = [heard.first, heard.last].map(|at| milliseconds(at - heard.begun));
    println!("    {how:<27}{first:>14}{last:>14}");
}
