//! A client in the manner of curl: one request through a relay and a gateway, the answer on
//! standard output.
//!
//! ```sh
//! cargo run --release --example client -- --relay https://relay.example/gateway \
//!     --keys https://gateway.example/ohttp-keys https://example.com/
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use examples::error_report::{Hint, report};
use examples::flags;
use examples::provider::ProviderName;
use examples::seconds::Seconds;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use oblivious_http::bhttp::Informational;
use oblivious_http::client::{ClientError, ClientLayer, Gateway, TargetPattern};
use oblivious_http::hpke::Recipient;
use oblivious_http::keys::{KeyConfigList, Preferences};
use oblivious_http::service::{FullBody, MediaType, Timeout, TokioTimer, collect, media_type};
use oblivious_hyper::{HttpClient, tls};
use tower::{Layer, ServiceExt};

/// The longest list of key configurations that is read.
const MAX_KEYS: usize = 1 << 20;

/// Sends a request through an Oblivious HTTP relay and gateway, and prints the response.
///
/// The relay learns this machine's address and nothing of the request; the gateway and the target
/// learn the request and nothing of this machine. Fetching the keys by URL shows this machine's
/// address to the server that has them, though not what they are for.
#[derive(Parser)]
#[command(name = "client", version)]
struct Args {
    /// The relay's URL for the gateway.
    #[arg(long, value_name = "URL")]
    relay: Uri,

    /// Where the gateway's key configurations are: a file, or an https URL of the gateway. Never
    /// take them from the relay alone: it could put in a key of its own, and read everything.
    #[arg(long, value_name = "FILE|URL")]
    keys: String,

    /// The method; GET if there is no data, POST if there is.
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<Method>,

    /// A header field for the target, as 'name: value'. Repeat it for more.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header_field)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// Data to send, or @FILE to send a file; @- is standard input.
    #[arg(short = 'd', long = "data", value_name = "DATA|@FILE")]
    data: Option<String>,

    /// The source of cryptographic primitives.
    #[arg(long, value_name = "NAME", default_value = "fastest")]
    provider: ProviderName,

    /// Print the status and header of the response too.
    #[arg(short = 'i', long)]
    include: bool,

    /// Write to a file instead of standard output.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// File with certificate authorities (PEM) to trust, besides the public ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// How long the whole exchange may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(60),
        value_parser = Seconds::above_zero)]
    timeout: Seconds,

    /// The URL to ask for: the target's, which the relay never sees.
    #[arg(value_name = "TARGET_URL")]
    target: Uri,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = flags::parse("CLIENT");
    report(run(args).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let http_client = HttpClient::new(tls::client_config_with_file(args.ca.as_deref())?);
    let timeout = Timeout::new(args.timeout.duration(), TokioTimer);
    let keys = timeout.run(keys(&args.keys, &http_client)).await.context("no keys in time")??;
    let list = KeyConfigList::decode(&keys)
        .with_context(|| format!("{} holds no key configurations", args.keys))?;
    let provider = args.provider.provider()?;
    let recipient = Recipient::select(&list, &Preferences::default(), provider)?;

    let request = request(&args)?;
    let gateway = Gateway::allowing_http(args.relay.clone(), recipient)?
        .allow(TargetPattern::any_https())
        .allow(TargetPattern::any_http());
    let client = ClientLayer::new(gateway)
        .allow_cookies()
        .allow_authorization()
        .timeout(timeout)
        .layer(http_client);
    let response = client.oneshot(request).await.map_err(explain)?;
    let (parts, body) = response.into_parts();
    let content = collect(body, usize::MAX).await?.data.freeze();
    write(&args, &render(&Response::from_parts(parts, content), args.include)?)
}

/// The key configurations, from a file or from a server.
async fn keys(source: &str, http_client: &HttpClient) -> anyhow::Result<Bytes> {
    if !source.contains("://") {
        let read =
            std::fs::read(source).with_context(|| format!("cannot read the keys in {source}"));
        return Ok(read?.into());
    }
    let request = Request::get(source)
        .header(header::ACCEPT, MediaType::OhttpKeys.as_str())
        .body(FullBody::empty())
        .with_context(|| format!("{source} is no URL"))?;
    let failed = || format!("cannot fetch the keys from {source}");
    let response = http_client.clone().oneshot(request).await.with_context(failed)?;
    ensure!(
        response.status() == StatusCode::OK
            && media_type(response.headers()) == Some(MediaType::OhttpKeys),
        "{source} answers with status {} and not with key configurations",
        response.status()
    );
    Ok(collect(response.into_body(), MAX_KEYS).await.with_context(failed)?.data.freeze())
}

/// The request for the target.
fn request(args: &Args) -> anyhow::Result<Request<FullBody>> {
    let data = args.data.as_deref().map(data).transpose()?;
    let default = if data.is_some() { Method::POST } else { Method::GET };
    let mut headers = HeaderMap::new();
    for (name, value) in args.headers.iter().cloned() {
        headers.append(name, value);
    }
    if data.is_some() && !headers.contains_key(header::CONTENT_TYPE) {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
    }
    let mut request = Request::new(data.map(FullBody::from).unwrap_or_default());
    *request.method_mut() = args.method.clone().unwrap_or(default);
    *request.uri_mut() = args.target.clone();
    *request.headers_mut() = headers;
    Ok(request)
}

/// The data of `-d`: the text itself, or what `@FILE` holds.
fn data(argument: &str) -> anyhow::Result<Bytes> {
    let Some(file) = argument.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(argument.as_bytes()));
    };
    let mut data = Vec::new();
    if file == "-" {
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut data)?;
    } else {
        data = std::fs::read(file).with_context(|| format!("cannot read the data in {file}"))?;
    }
    Ok(data.into())
}

fn header_field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'name: value'")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is no field name"))?;
    let value =
        value.trim().parse().map_err(|_| "the value has characters that are not allowed")?;
    Ok((name, value))
}

/// Adds what to do to errors where there is something to do.
fn explain(error: ClientError) -> anyhow::Error {
    let hint = match error {
        ClientError::KeyRejected => "fetch the gateway's key configurations anew for --keys",
        ClientError::NotEncapsulated { status: StatusCode::NOT_FOUND } => {
            "the relay knows no gateway at this path: check --relay"
        }
        ClientError::NoGateway | ClientError::InvalidRequest(_) => {
            "the target must be an absolute URL, such as https://example.com/"
        }
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(Hint(hint))
}

/// What is printed: the header if it is asked for, and the content.
fn render(response: &Response<Bytes>, include: bool) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    if include {
        let informational = response.extensions().get::<Informational>();
        for response in informational.map(|list| &list.0[..]).unwrap_or_default() {
            write_header(&mut out, response)?;
        }
        write_header(&mut out, response)?;
    }
    out.extend_from_slice(response.body());
    Ok(out)
}

fn write_header<B>(out: &mut Vec<u8>, response: &Response<B>) -> std::io::Result<()> {
    // The inner exchange has no version of HTTP; the status stands where one looks for it.
    writeln!(out, "HTTP {}\r", response.status())?;
    for (name, value) in response.headers() {
        write!(out, "{name}: ")?;
        out.write_all(value.as_bytes())?;
        writeln!(out, "\r")?;
    }
    writeln!(out, "\r")
}

fn write(args: &Args, out: &[u8]) -> anyhow::Result<()> {
    let Some(path) = &args.output else {
        let mut stdout = std::io::stdout().lock();
        return match stdout.write_all(out).and_then(|()| stdout.flush()) {
            // Whoever reads has had enough, as with `| head`.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        };
    };
    std::fs::write(path, out).with_context(|| format!("cannot write {}", path.display()))
}
