//! DNS over HTTPS (RFC 8484) through Oblivious HTTP, used like dig: the resolver answers, but does
//! not learn who asks.
//!
//! ```sh
//! export DOH_RELAY=https://relay.example/gateway DOH_KEYS=https://gateway.example/ohttp-keys
//! cargo run --release --example doh -- @https://dns.example/dns-query example.com AAAA
//! ```

mod answer;
mod exchange;
mod question;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use examples::error_report::{Hint, report};
use examples::provider::ProviderName;
use examples::seconds::Seconds;
use http::Uri;

use crate::question::Question;

/// Asks a resolver for records, through an Oblivious HTTP relay and gateway.
///
/// The relay learns this machine's address, but not what is asked; the gateway and the resolver
/// learn what is asked, but not by whom.
#[derive(Parser)]
#[command(name = "doh", version)]
struct Args {
    /// The relay's URL for the gateway.
    #[arg(long, env = "DOH_RELAY", hide_env_values = true, value_name = "URL")]
    relay: Uri,

    /// Where the gateway's key configurations are: a file, or a URL, which must not be the relay's.
    #[arg(long, env = "DOH_KEYS", hide_env_values = true, value_name = "FILE|URL")]
    keys: String,

    /// The resolver, if none is named with @.
    #[arg(long, env = "DOH_RESOLVER", hide_env_values = true, value_name = "URL")]
    resolver: Option<String>,

    /// Ask for the name of an address.
    #[arg(short = 'x', value_name = "ADDRESS")]
    reverse: Option<std::net::IpAddr>,

    /// Allow http URLs, for tests and closed networks.
    #[arg(long, env = "DOH_ALLOW_HTTP", hide_env_values = true)]
    allow_http: bool,

    /// File with certificate authorities (PEM) to trust, besides the public ones.
    #[arg(long, env = "DOH_CA", hide_env_values = true, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// How long the exchange may take, in seconds.
    #[arg(long, env = "DOH_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value_t = Seconds::new(5),
        value_parser = Seconds::above_zero)]
    timeout: Seconds,

    /// The source of cryptographic primitives.
    #[arg(
        long,
        env = "DOH_PROVIDER",
        hide_env_values = true,
        value_name = "NAME",
        default_value = "fastest"
    )]
    provider: ProviderName,

    /// In any order: the name to ask for; a type, A unless given; @URL, the resolver; +short, for
    /// only the data; +dnssec, for signatures too; +cd, for data that fails validation too.
    #[arg(value_name = "NAME|TYPE|@URL|+OPTION")]
    words: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    report(run(args).await)
}

async fn run(mut args: Args) -> anyhow::Result<()> {
    let question = Question::of_words(&args.words, args.reverse)?;
    let resolver = question.resolver.clone().or(args.resolver.take());
    let resolver = resolver.context(Hint("name one, as @https://dns.example/dns-query"));
    let resolver = exchange::resolver(&resolver.context("no resolver is named")?)?;
    let begun = Instant::now();
    let answer = exchange::ask(&args, &resolver, &question).await?;
    if question.short {
        print!("{}", answer::short(&answer.message));
    } else {
        let (relay, took) = (&args.relay, begun.elapsed().as_millis());
        print!("{}", answer::long(&answer.message));
        println!(";; Query time: {took} msec");
        println!(";; RESOLVER: {resolver}, through {relay}");
        println!(";; MSG SIZE  rcvd: {}", answer.length);
    }
    Ok(())
}
