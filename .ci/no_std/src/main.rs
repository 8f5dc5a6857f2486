//! Encodes, seals, opens and decodes a message without std.
//!
//! The panic handler is what makes it fail to build if any crate pulls in std, which has one of its
//! own. Exit code 0 says that it also works.
//!
//! ```sh
//! cargo run --manifest-path .ci/no_std/Cargo.toml
//! ```

#![no_std]
#![no_main]

extern crate alloc;

mod heap;

use alloc::vec;
use core::ffi::c_int;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use bytes::BytesMut;
use oblivious_bhttp::{
    DecodeOptions, Decoder, EncodeOptions, Encoder, Event, Padding, Request, Response,
};
use oblivious_hpke::{KeyPair, KeyRing, Provider, Random, RandomError, Recipient, UnixSeconds};
use oblivious_keys::{KemId, KeyConfigList, Preferences, SymmetricSuite};
use oblivious_wire::VarInt;

/// What the C runtime calls.
// SAFETY: no other symbol of this program has this name.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> c_int {
    match exchange() {
        Some(()) => 0,
        None => 1,
    }
}

/// A request to a gateway and the response.
fn exchange() -> Option<()> {
    let seed = [7; 64];
    let provider = Provider::default().with_random(&COUNTER);
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &seed, provider).ok()?;
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).ok()?;
    let published = ring.config_list().ok()?.encode();

    let list = KeyConfigList::decode(&published).ok()?;
    let recipient = Recipient::select(&list, &Preferences::default(), provider).ok()?;
    let mut request = Request::new("GET", "https", "example.com", "/");
    request.head.fields.push("Accept", "text/plain").ok()?;
    let options = EncodeOptions::default().with_padding(Padding::ToMultiple(64));
    let message = request.encode(&options).ok()?;
    let (sealed, pending) = recipient.encapsulate(&message).ok()?;

    let (opened, reply) =
        ring.at(UnixSeconds::EPOCH).decapsulate(BytesMut::from(&sealed[..])).ok()?;
    if Request::decode(opened.freeze()).ok()? != request {
        return None;
    }
    let mut message = BytesMut::new();
    let mut encoder = Encoder::indeterminate_length();
    encoder.response(&Response::new(200).head, &mut message).ok()?;
    encoder.content(b"hello", &mut message).ok()?;
    encoder.finish(&Padding::None, &mut message).ok()?;
    let sealed = reply.seal(&message).ok()?;

    let opened = pending.open(BytesMut::from(&sealed[..])).ok()?.freeze();
    let mut decoder = Decoder::for_response("GET", &DecodeOptions::default());
    for at in 0..opened.len() {
        decoder.push(opened.slice(at..=at));
    }
    decoder.finish();
    let mut content = VarInt::default().get();
    while let Some(event) = decoder.next_event().ok()? {
        if let Event::Content(piece) = event {
            content += piece.len() as u64;
        }
    }
    (content == 5).then_some(())
}

/// Numbers that are anything but random; nothing here is a secret.
struct Counter(AtomicU32);

static COUNTER: Counter = Counter(AtomicU32::new(1));

impl Random for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        for byte in out {
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_761);
            *byte = number.to_be_bytes()[0];
        }
        Ok(())
    }
}

// For memcpy and the like, which std would link.
#[link(name = "c")]
// SAFETY: nothing is declared.
unsafe extern "C" {}

/// What unwinding would ask how; with `panic = "abort"` nothing unwinds, but the `alloc` that comes
/// with the toolchain was built to.
// SAFETY: no other symbol of this program has this name, and nothing calls this one.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
