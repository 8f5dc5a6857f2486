//! Encapsulates many different requests to a gateway's key, for `run.sh` to send.
//!
//! ```sh
//! cargo run --release -p benches --example load-requests -- KEYS URL COUNT > requests.bin
//! ```
//!
//! `KEYS` is a file with the gateway's key configurations, a list or a single one. The output is a
//! line with the length of a request, then the requests, all of that length.

use std::io::Write;

use bytes::BytesMut;
use oblivious_bhttp::{Content, EncodeOptions, encode_request_into};
use oblivious_hpke::{Provider, Recipient};
use oblivious_keys::{KeyConfig, KeyConfigList, SymmetricSuite};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [keys, url, count] = arguments.as_slice() else {
        return Err("say: load-requests KEYS URL COUNT".into());
    };
    let keys = std::fs::read(keys)?;
    let config = match KeyConfigList::decode(&keys) {
        Ok(list) => list.configs().first().cloned().ok_or("the list has no key that is known")?,
        Err(_) => KeyConfig::decode_bare(&keys)?,
    };
    let suite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;
    let recipient = Recipient::new(&config, suite, Provider::fastest())?.precomputed();

    let request = http::Request::get(url.as_str()).body(Content::default())?;
    let mut message = BytesMut::new();
    encode_request_into(&request, &EncodeOptions::default(), &mut message)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "{}", message.len() + recipient.overhead())?;
    for _ in 0..count.parse::<u64>()? {
        out.write_all(&recipient.encapsulate(&message)?.0)?;
    }
    out.flush()?;
    Ok(())
}
