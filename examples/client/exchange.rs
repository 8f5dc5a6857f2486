//! The plain form: one request, and its response on standard output.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use examples::error_report::{Hint, describe};
use http::uri::Scheme;
use http::{HeaderMap, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use oblivious_http::bhttp::{DecodeOptions, Informational};
use oblivious_http::client::{Client, ClientBody, ClientBodyError, ClientError};
use oblivious_http::service::{BoxError, Timeout, TokioTimer};
use oblivious_hyper::HttpClient;
use tower::util::MapResponse;
use tower::{Layer, ServiceExt};
use tower_http::decompression::DecompressionLayer;

use crate::cli::Cli;
use crate::failure::{Failure, exit_code};
use crate::output::{Facts, Meter, Sink, write_out};
use crate::request::headers::{disposed_name, remote_name};
use crate::request::{Content, Prepared, Upload};
use crate::trace::{Trace, Watched};
use crate::verbose::{show_request, show_response};

/// How long a whole exchange may take, and one in chunks stand still, where `--max-time` does not
/// say it.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(300);
/// By how much an encapsulated response may be longer than its content, in bytes.
const MAX_OVERHEAD: u64 = 256 << 10;
/// How often the progress of an upload is shown.
const METER_INTERVAL: Duration = Duration::from_millis(200);

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// Does what the command line says, and prints what `-w` wants whatever comes of it.
pub(crate) async fn run(cli: &Cli) -> anyhow::Result<()> {
    let begun = Instant::now();
    let trace = Trace::new(cli.output.verbose);
    let mut facts = Facts::default();
    let limit = cli.connections.max_time;
    let outcome = match limit {
        Some(seconds) => {
            let exchanging = exchange(cli, &trace, &mut facts, begun);
            let in_time = tokio::time::timeout(seconds.duration(), exchanging).await;
            in_time.unwrap_or_else(|_| Err(Failure::TimedOut(seconds.to_string()).into()))
        }
        None => exchange(cli, &trace, &mut facts, begun).await,
    };
    if let Some(format) = &cli.output.write_out {
        facts.total = begun.elapsed();
        if let Err(error) = &outcome {
            facts.exit_code = exit_code(error);
            let described = describe(error);
            let first = described.lines().next().unwrap_or_default();
            facts.error = Some(first.trim_start_matches("error: ").to_owned());
        }
        let written = write_out(&format_of(format)?, &facts, &trace);
        let path = PathBuf::from("standard output");
        written.map_err(|source| Failure::Write { path, source })?;
    }
    outcome
}

/// The format of `-w`, from a file if it says so.
fn format_of(argument: &str) -> Result<String, Failure> {
    let Some(file) = argument.strip_prefix('@') else { return Ok(argument.to_owned()) };
    let read = match file {
        "-" => std::io::read_to_string(std::io::stdin()),
        file => std::fs::read_to_string(file),
    };
    read.map_err(|source| Failure::Read { path: file.into(), source })
}

async fn exchange(
    cli: &Cli,
    trace: &Arc<Trace>,
    facts: &mut Facts,
    begun: Instant,
) -> anyhow::Result<()> {
    cli.refused.check()?;
    let target = crate::urls::target(cli.target.as_deref().unwrap_or_default())?;
    check_scheme(&target, cli.connections.allow_http)?;
    let file = output_file(cli, &target)?;
    let Prepared { request, warnings } = cli.request.prepare(target)?;
    warn(cli, warnings);
    facts.method = request.method().to_string();
    facts.target = request.uri().clone();
    facts.file = file.clone();

    let client = client(cli, trace)?;
    if trace.is_verbose() {
        show_request(&request);
    }
    let sent = Arc::<AtomicU64>::default();
    let mut meter = Meter::new(&cli.output, request.body().length(), Arc::clone(&sent));
    let request = request.map(|content: Content| content.into_body(Arc::clone(&sent)));
    let answer = ask(client, request, cli.request.compressed, &mut meter).await;
    facts.size_upload = sent.load(Ordering::Relaxed);
    let answer = answer.map_err(|error| explain(error, cli))?;
    facts.to_header = begun.elapsed();
    let printed = print(cli, answer, file, &mut meter, facts).await;
    facts.size_upload = sent.load(Ordering::Relaxed);
    meter.finish();
    trace.say(format_args!(
        "sent {} bytes and received {}, in which were {} bytes of content",
        trace.sealed(),
        trace.received(),
        facts.size_download
    ));
    printed
}

fn client(cli: &Cli, trace: &Arc<Trace>) -> anyhow::Result<Client<Watched<HttpClient>>> {
    let mut layer = cli.gateway.layer(&cli.connections, trace)?;
    // Users who put them on the command line mean it, and get a warning.
    layer = layer.allow_cookies().allow_authorization();
    let patience = Timeout::new(DEFAULT_PATIENCE, TokioTimer);
    layer = match (cli.connections.max_time, cli.gateway.chunked) {
        // It covers everything, including the keys.
        (Some(_), _) => layer,
        (None, true) => layer.idle_timeout(patience),
        (None, false) => layer.timeout(patience),
    };
    let mut options = DecodeOptions::default();
    options.limits.content = Some(u64::MAX);
    // The user has chosen what to send.
    layer = layer.request_limit(usize::MAX);
    if let Some(bytes) = cli.output.max_filesize {
        // The header and the encapsulation come on top of it.
        let bytes = bytes.saturating_add(MAX_OVERHEAD);
        layer = layer.response_limit(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    layer = layer.decode_options(options);
    Ok(layer.layer(Watched::new(cli.connections.http_client()?, trace)))
}

/// Sends the request, and shows how far it is.
async fn ask(
    client: Client<Watched<HttpClient>>,
    request: http::Request<Upload>,
    is_compressed: bool,
    meter: &mut Meter,
) -> Result<Answer, ClientError> {
    let asking: Pin<Box<dyn Future<Output = Result<Answer, ClientError>>>> = match is_compressed {
        false => Box::pin(async move {
            let answer = client.oneshot(request).await?;
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        }),
        true => Box::pin(async move {
            // The header is shown as it came.
            let client = MapResponse::new(client, |mut answer: Response<ClientBody>| {
                let headers = AsSent(answer.headers().clone());
                answer.extensions_mut().insert(headers);
                answer
            });
            let answer = DecompressionLayer::new().layer(client).oneshot(request).await?;
            Ok(answer.map(|body| body.map_err(decoding_error).boxed_unsync()))
        }),
    };
    tokio::pin!(asking);
    loop {
        tokio::select! {
            answer = &mut asking => return answer,
            () = tokio::time::sleep(METER_INTERVAL) => meter.show(),
        }
    }
}

/// The header of a response whose content is decoded.
#[derive(Clone)]
struct AsSent(HeaderMap);

/// The decoder's own errors, and those of what is below it.
fn decoding_error(error: BoxError) -> BoxError {
    match error.downcast::<ClientBodyError>() {
        Ok(error) => error,
        Err(error) => Failure::ContentCoding(error).into(),
    }
}

async fn print(
    cli: &Cli,
    answer: Answer,
    file: Option<PathBuf>,
    meter: &mut Meter,
    facts: &mut Facts,
) -> anyhow::Result<()> {
    let (parts, mut body) = answer.into_parts();
    let headers = match parts.extensions.get::<AsSent>() {
        Some(AsSent(headers)) => headers.clone(),
        None => parts.headers,
    };
    let informational = parts.extensions.get::<Informational>();
    let informational = informational.map(|list| &list.0[..]).unwrap_or_default();
    facts.status = Some(parts.status);
    facts.headers = headers.clone();
    facts.size_header = header_len(&headers);
    if cli.output.verbose {
        informational.iter().for_each(|early| show_response(early.status(), early.headers()));
        show_response(parts.status, &headers);
    }

    let mut heads: Vec<_> =
        informational.iter().map(|early| (early.status(), early.headers())).collect();
    heads.push((parts.status, &headers));
    if let Some(path) = &cli.output.dump_header {
        write_heads(&mut Sink::open(Some(path))?, &heads)?;
    }
    let failed = parts.status.is_client_error() || parts.status.is_server_error();
    if failed && cli.output.fail {
        return Err(Failure::Status(parts.status).into());
    }
    let limit = cli.output.max_filesize.unwrap_or(u64::MAX);
    let length = content_length(&headers).filter(|_| !cli.request.head);
    if length.is_some_and(|length| length > limit) {
        return Err(Failure::TooLong(limit).into());
    }
    let mut sink = match disposed_name(&headers).filter(|_| cli.output.remote_header_name) {
        Some(name) => {
            let path = facts.file.insert(name.into());
            Sink::create_new(path)?
        }
        None => Sink::open(file.as_deref())?,
    };
    if cli.output.include || cli.request.head {
        write_heads(&mut sink, &heads)?;
    }
    meter.expect(length.or_else(|| body.size_hint().exact()));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            anyhow::Error::from_boxed(error).context("the response is not complete")
        })?;
        if let Ok(bytes) = frame.into_data() {
            if facts.size_download + bytes.len() as u64 > limit {
                return Err(Failure::TooLong(limit).into());
            }
            sink.write_content(&bytes)?;
            facts.size_download += bytes.len() as u64;
            meter.note(bytes.len());
        }
    }
    match failed && cli.output.fail_with_body {
        true => Err(Failure::Status(parts.status).into()),
        false => Ok(()),
    }
}

fn write_heads(sink: &mut Sink, heads: &[(StatusCode, &HeaderMap)]) -> Result<(), Failure> {
    heads.iter().try_for_each(|(status, headers)| sink.write_header(*status, headers))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn header_len(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// The file that the command line names, if it names one.
fn output_file(cli: &Cli, target: &Uri) -> Result<Option<PathBuf>, Failure> {
    if !cli.output.remote_name {
        return Ok(cli.output.output.clone());
    }
    let name = remote_name(target.path()).ok_or(Failure::NoFileName)?;
    Ok(Some(PathBuf::from(name)))
}

fn check_scheme(target: &Uri, allow_http: bool) -> anyhow::Result<()> {
    if target.scheme() == Some(&Scheme::HTTP) && !allow_http {
        let refusal = "the target is http, so the gateway would ask it in clear";
        let hint = Hint("write https://, or allow it with --allow-http");
        return Err(Failure::Usage(refusal.into())).context(hint);
    }
    Ok(())
}

fn warn(cli: &Cli, mut warnings: Vec<String>) {
    if cli.connections.is_insecure() {
        let exposed = "certificates are not checked: anyone on the path can replace the keys \
                       and read everything";
        warnings.push(exposed.to_owned());
    }
    if !cli.output.silent {
        warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    }
}

/// Adds what to do to errors where there is something to do.
fn explain(error: ClientError, cli: &Cli) -> anyhow::Error {
    let hint = match error {
        ClientError::KeyRejected => {
            cli.gateway.forget_keys();
            "fetch the gateway's key configurations again for --keys"
        }
        ClientError::NotEncapsulated { status: StatusCode::NOT_FOUND } => {
            "the relay knows no gateway at this path: check --relay"
        }
        ClientError::NotEncapsulated { status: StatusCode::PAYLOAD_TOO_LARGE }
            if !cli.gateway.chunked =>
        {
            "relay or gateway do not accept a whole message of this length: send it with --chunked"
        }
        ClientError::NotEncapsulated { status: StatusCode::UNSUPPORTED_MEDIA_TYPE }
            if cli.gateway.chunked =>
        {
            "relay or gateway may not accept messages in chunks: leave out --chunked"
        }
        ClientError::ResponseTooLarge { .. } => "raise --max-filesize, or stream it with --chunked",
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(Hint(hint))
}
