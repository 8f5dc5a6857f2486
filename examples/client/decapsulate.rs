//! `decapsulate`: what a gateway reads in a request.

use std::path::PathBuf;

use anyhow::Context;
use bytes::BytesMut;
use examples::provider::ProviderName;
use oblivious_http::gateway::FixedKey;
use oblivious_http::hpke::{ChunkLimits, KeyRing, RequestHeader, UnixSeconds};
use oblivious_http::keys::Preferences;

use crate::failure::Failure;
use crate::stdio;

/// The input is the content of a message/ohttp-req, or with --chunked of a
/// message/ohttp-chunked-req; the output is the binary HTTP request in it, which `convert dump` can
/// read.
#[derive(clap::Args)]
pub(crate) struct DecapsulateArgs {
    /// The file with the gateway's private keys, as the gateway's --key-file and as `keygen` makes
    /// it.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,

    /// The request is in chunks.
    #[arg(long)]
    chunked: bool,

    /// A binary HTTP response to seal as the answer to the request.
    #[arg(long, value_name = "FILE", requires = "sealed_response", conflicts_with = "chunked")]
    response: Option<PathBuf>,

    /// Where to write the sealed answer.
    #[arg(long, value_name = "FILE", requires = "response")]
    sealed_response: Option<PathBuf>,

    /// Say on standard error what the request was sealed to.
    #[arg(short = 'v', long)]
    verbose: bool,

    /// Write to a file instead of standard output.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The source of cryptographic primitives.
    #[arg(long, value_name = "NAME", default_value = "fastest")]
    provider: ProviderName,
}

pub(crate) fn run(args: &DecapsulateArgs) -> anyhow::Result<()> {
    let provider = args.provider.provider()?;
    // Any known suite, since a file of keys names none.
    let suites = Preferences::default().suites;
    let mut ring = KeyRing::new();
    for key in FixedKey::read_file(&args.key_file, &suites, provider)? {
        key.add_to(&mut ring)?;
    }
    let sealed = stdio::read()?;
    if let (true, Some(RequestHeader { key_id, kem, suite, .. })) =
        (args.verbose, RequestHeader::decode(&sealed))
    {
        eprintln!("* sealed to key {key_id}: {kem}, {suite}");
    }
    let message = match args.chunked {
        true => in_chunks(&ring, &sealed)?,
        false => {
            let input = BytesMut::from(&sealed[..]);
            let (message, reply) = ring.at(UnixSeconds::now()).decapsulate(input)?;
            if let (Some(response), Some(path)) = (&args.response, &args.sealed_response) {
                let read = std::fs::read(response);
                let response =
                    read.map_err(|source| Failure::Read { path: response.clone(), source })?;
                stdio::write(Some(path), &reply.seal(&response)?)?;
            }
            message
        }
    };
    Ok(stdio::write(args.output.as_deref(), &message)?)
}

fn in_chunks(ring: &KeyRing, sealed: &[u8]) -> anyhow::Result<BytesMut> {
    let limits = ChunkLimits::default();
    let mut received = BytesMut::from(sealed);
    let started = ring.at(UnixSeconds::now()).decapsulate_chunked(&mut received, &limits)?;
    let (mut opener, _) = started.context("the request is cut short")?;
    opener.finish();
    let mut message = BytesMut::new();
    while let Some(chunk) = opener.next_chunk()? {
        message.extend_from_slice(&chunk.data);
    }
    Ok(message)
}
