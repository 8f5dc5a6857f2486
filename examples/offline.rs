//! Only the cryptography, without any network: what a client and a gateway each do with bytes.
//!
//! ```sh
//! cargo run --release --example offline
//! ```

use bytes::Bytes;
use http::{Method, Request, Response};
use oblivious_http::bhttp::{
    Content, DecodeOptions, EncodeOptions, decode_request, decode_response, encode_request_into,
    encode_response_into,
};
use oblivious_http::hpke::{KeyPair, KeyRing, Provider, Recipient, UnixSeconds};
use oblivious_http::keys::{KemId, KeyConfigList, Preferences, SymmetricSuite};

fn main() -> anyhow::Result<()> {
    let gateway = new_gateway()?;
    let published: Bytes = gateway.config_list()?.encode();

    // Client: decode the key configurations, and choose one of them.
    let list = KeyConfigList::decode(&published)?;
    let recipient = Recipient::select(&list, &Preferences::default(), Provider::default())?;

    // Client: marshal a request as binary HTTP, and encapsulate it.
    let request = Request::get("https://example.com/private").body(Content::default())?;
    let mut message = bytes::BytesMut::new();
    encode_request_into(&request, &EncodeOptions::default(), &mut message)?;
    let (encapsulated_request, pending) = recipient.encapsulate(&message)?;
    println!("request:  {} bytes, encapsulated in {}", message.len(), encapsulated_request.len());

    // Here a relay would carry it to the gateway, and the response back.
    let encapsulated_response = answer(&gateway, encapsulated_request)?;

    // Client: decapsulate the response, and unmarshal it.
    let message = pending.open(encapsulated_response.into())?.freeze();
    let response = decode_response(message, &Method::GET, &DecodeOptions::default())?;
    println!("response: {} {:?}", response.status(), response.body().data);
    Ok(())
}

/// A gateway with a key of its own.
fn new_gateway() -> anyhow::Result<KeyRing> {
    let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
    Ok(ring)
}

/// Gateway: decapsulate and unmarshal the request, answer it, marshal and encapsulate the response.
fn answer(gateway: &KeyRing, encapsulated_request: Bytes) -> anyhow::Result<Bytes> {
    let (message, reply) =
        gateway.at(UnixSeconds::now()).decapsulate(encapsulated_request.into())?;
    let request = decode_request(message.freeze(), &DecodeOptions::default())?;
    println!("gateway:  {} {}", request.method(), request.uri());

    let response = Response::new(Content::from("for your eyes only"));
    let mut message = bytes::BytesMut::new();
    encode_response_into(&response, &EncodeOptions::default(), &mut message)?;
    Ok(reply.seal(&message)?)
}
