//! Binary HTTP: `oblivious-bhttp` beside `bhttp`, and beside HTTP/1.1 text read by `httparse`.
//!
//! ```sh
//! cargo bench -p benches --bench bhttp
//! ```
//!
//! Every decoder visits what it has decoded, so that laziness gains nothing.

mod message;
mod push;
mod visit;

use std::io::Cursor;
use std::time::Duration;

use benches::{Race, Report};
use bytes::BytesMut;
use criterion::Criterion;
use oblivious_bhttp::{DecodeOptions, EncodeOptions, Request, decode_request, encode_request_into};

const OURS: &str = "oblivious-bhttp";
const BHTTP: &str = "bhttp 0.8";
const HTTPARSE: &str = "httparse + http";

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut report = Report::default();
    decode(&mut criterion, &mut report);
    encode(&mut criterion, &mut report);
    build_and_encode(&mut criterion, &mut report);
    decode_to_http(&mut criterion, &mut report);
    encode_from_http(&mut criterion, &mut report);
    push::race(&mut criterion, &mut report);
    criterion.final_summary();
    print!("\n{report}");
}

fn decode(criterion: &mut Criterion, report: &mut Report) {
    let message = message::binary();
    Race::new("decode a POST of 12 fields and 1 KiB")
        .contender(OURS, || visit::ours(&Request::decode(message.clone()).unwrap()))
        .contender(BHTTP, || {
            visit::bhttp(&bhttp::Message::read_bhttp(&mut Cursor::new(&message[..])).unwrap())
        })
        .at_most(OURS, 1.0 / 3.0, BHTTP)
        .run(criterion, report);
}

/// Messages that are there already.
fn encode(criterion: &mut Criterion, report: &mut Report) {
    let ours = message::ours();
    let theirs = message::bhttp();
    let options = EncodeOptions::default();
    Race::new("encode it")
        .contender(OURS, || ours.encode(&options).unwrap())
        .contender(BHTTP, || write_bhttp(&theirs))
        .at_most(OURS, 1.0 / 2.0, BHTTP)
        .run(criterion, report);
}

/// The same with the making of the message: where `bhttp` keeps fields apart and puts them
/// together when it writes, `oblivious-bhttp` does so when they are added.
fn build_and_encode(criterion: &mut Criterion, report: &mut Report) {
    let options = EncodeOptions::default();
    Race::new("build and encode it")
        .contender(OURS, || message::ours().encode(&options).unwrap())
        .contender(BHTTP, || write_bhttp(&message::bhttp()))
        .at_most(OURS, 1.0 / 2.0, BHTTP)
        .run(criterion, report);
}

fn decode_to_http(criterion: &mut Criterion, report: &mut Report) {
    let message = message::binary();
    let text = message::text();
    let options = DecodeOptions::default();
    Race::new("decode it to http::Request")
        .contender(OURS, || {
            visit::http(&decode_request(message.clone(), &options).unwrap(), |it| &it.data)
        })
        .contender(HTTPARSE, || visit::http(&message::parse(&text), |content| content))
        .at_most(OURS, 1.0, HTTPARSE)
        .run(criterion, report);
}

/// `httparse` only reads, so here is nobody to compare with.
fn encode_from_http(criterion: &mut Criterion, report: &mut Report) {
    let request = decode_request(message::binary(), &DecodeOptions::default()).unwrap();
    let options = EncodeOptions::default();
    Race::new("encode it from http::Request")
        .contender(OURS, || {
            let mut out = BytesMut::new();
            encode_request_into(&request, &options, &mut out).unwrap();
            out
        })
        .run(criterion, report);
}

fn write_bhttp(message: &bhttp::Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.write_bhttp(bhttp::Mode::KnownLength, &mut out).unwrap();
    out
}
