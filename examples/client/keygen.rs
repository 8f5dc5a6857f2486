//! `keygen`: a gateway's key pair.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use examples::provider::ProviderName;
use oblivious_http::hpke::KeyPair;
use oblivious_http::keys::{KemId, KeyConfigList, SymmetricSuite};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::stdio;

/// The private key goes to a file that only its owner can read, in the form of the gateway's
/// --key-file; the key configuration that clients need to standard output or a file.
#[derive(clap::Args)]
pub(crate) struct KeygenArgs {
    /// The KEM: x25519, p256, p384, p521, x-wing, ml-kem-768, ml-kem-1024, mlkem768-p256,
    /// mlkem1024-p384, or its number.
    #[arg(long, value_name = "NAME", default_value = "x25519")]
    kem: KemId,

    /// The number that identifies the key.
    #[arg(long, value_name = "0-255", default_value_t = 1)]
    key_id: u8,

    /// The file for the private key. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,

    /// Write the key configuration (application/ohttp-keys) to a file instead of standard output.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The source of cryptographic primitives.
    #[arg(long, value_name = "NAME", default_value = "fastest")]
    provider: ProviderName,
}

pub(crate) fn run(args: &KeygenArgs) -> anyhow::Result<()> {
    let pair = KeyPair::generate(args.kem, args.provider.provider()?)?;
    let config = pair.config(args.key_id, suites())?;
    let secret = Zeroizing::new(hex::encode(pair.expose_secret_key()));
    let (kem, id) = (args.kem, args.key_id);
    // By its number: some registered names have spaces in them.
    let line = Zeroizing::new(format!("# {kem}\n{id} {:#06x} {}\n", kem.0, *secret));
    let path = args.key_file.clone();
    write_secret(&path, line.as_bytes()).map_err(|source| Failure::Write { path, source })?;
    let list = KeyConfigList::new(vec![config]).context("the key cannot be published")?;
    Ok(stdio::write(args.output.as_deref(), &list.encode())?)
}

/// Those that the gateway program offers.
fn suites() -> Vec<SymmetricSuite> {
    oblivious_http::gateway::ScheduleSettings::default().suites().to_vec()
}

fn write_secret(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}
