//! `encapsulate`: a message sealed to a gateway, without sending it.

use std::path::PathBuf;

use bytes::BytesMut;
use examples::provider::ProviderName;
use oblivious_http::client::Demand;
use oblivious_http::hpke::{ChunkLimits, ChunkSealer, Recipient};
use oblivious_http::keys::{KeyConfigList, Preferences};

use crate::connections::ConnectionArgs;
use crate::failure::Failure;
use crate::key_sources::FetchArgs;
use crate::stdio;

/// The input is a binary HTTP request, as `convert encode` makes it; the output is the content of a
/// message/ohttp-req, or with --chunked of a message/ohttp-chunked-req. The answer to it cannot be
/// opened: the secret for that is gone when this program ends.
#[derive(clap::Args)]
pub(crate) struct EncapsulateArgs {
    /// The gateway's key configurations.
    #[arg(long, value_name = "FILE|URL", env = "CLIENT_KEYS", hide_env = true)]
    keys: Vec<String>,

    /// Seal in chunks.
    #[arg(long)]
    chunked: bool,

    /// Write to a file instead of standard output.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The source of cryptographic primitives.
    #[arg(long, value_name = "NAME", default_value = "fastest")]
    provider: ProviderName,

    #[command(flatten)]
    fetch: FetchArgs,

    #[command(flatten)]
    connections: ConnectionArgs,
}

pub(crate) async fn run(args: &EncapsulateArgs) -> anyhow::Result<()> {
    let sources = args.fetch.sources(&args.keys, &args.connections)?;
    let [source] = &sources[..] else {
        let message = "name one source of keys, with --keys or --discover".to_owned();
        return Err(Failure::Usage(message).into());
    };
    let fetched = source.fetch(Demand::Revalidated).await?;
    let list = KeyConfigList::decode(&fetched.list)?;
    let provider = args.provider.provider()?;
    let recipient = Recipient::select(&list, &Preferences::default(), provider)?;
    let message = stdio::read()?;
    let sealed = match args.chunked {
        true => in_chunks(&recipient, &message)?,
        false => recipient.encapsulate(&message)?.0.into(),
    };
    Ok(stdio::write(args.output.as_deref(), &sealed)?)
}

fn in_chunks(recipient: &Recipient, message: &[u8]) -> anyhow::Result<BytesMut> {
    let mut sealed = BytesMut::new();
    let (mut sealer, _) = recipient.start_chunked(&mut sealed, &ChunkLimits::default())?;
    let mut chunks = message.chunks(ChunkSealer::MAX_CHUNK_LEN).peekable();
    while let Some(chunk) = chunks.next() {
        if chunks.peek().is_none() {
            sealer.finish(chunk, &mut sealed)?;
            return Ok(sealed);
        }
        sealer.seal(chunk, &mut sealed)?;
    }
    sealer.finish(&[], &mut sealed)?;
    Ok(sealed)
}
