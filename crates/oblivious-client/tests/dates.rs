//! A client whose clock is wrong: what the gateway says of it is for the caller alone.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use oblivious_bhttp::{
    Content, DecodeOptions, EncodeOptions, decode_request, encode_response_into,
};
use oblivious_client::ClientLayer;
use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_keys::{KemId, Preferences, SymmetricSuite};
use oblivious_service::{BoxError, Clock, FullBody, Problem};
use tower::{Layer, ServiceExt, service_fn};

/// The clock of the client, and the date of a gateway that finds it wrong.
const OWN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const GATEWAYS: &str = "Mon, 07 Feb 2022 00:28:05 GMT";

#[derive(Debug)]
struct WrongClock;

impl Clock for WrongClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }
}

/// What each request looked like outside, and its date inside.
type Seen = Arc<Mutex<Vec<(Bytes, HeaderValue)>>>;

/// A client of a gateway that refuses all dates.
fn client() -> (impl FnOnce(Request<FullBody>) -> Exchange + Clone, Seen) {
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[1; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    let list = ring.config_list().unwrap();
    let recipient = Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap();
    let (ring, seen) = (Arc::new(ring), Seen::default());
    let noted = Arc::clone(&seen);
    let gateway = service_fn(move |outer: Request<FullBody>| {
        let sealed = outer.into_body().into_bytes();
        let (message, reply) = ring.decapsulate(sealed.clone().into()).unwrap();
        let request = decode_request(message.freeze(), &DecodeOptions::default()).unwrap();
        noted.lock().unwrap().push((sealed, request.headers()["date"].clone()));
        let mut refusal =
            Problem::Date.into_response().map(|body| Content::from(body.into_bytes()));
        refusal.headers_mut().insert("date", HeaderValue::from_static(GATEWAYS));
        let mut message = BytesMut::new();
        encode_response_into(&refusal, &EncodeOptions::default(), &mut message).unwrap();
        let answer = Response::builder().header("content-type", "message/ohttp-res");
        let answer = answer.body(FullBody::from(reply.seal(&message).unwrap())).unwrap();
        async move { Ok::<_, BoxError>(answer) }
    });
    let relay = Uri::from_static("https://relay.example/gateway");
    let client = ClientLayer::new(relay, recipient).clock(WrongClock).layer(gateway);
    (move |request| Box::pin(async { client.oneshot(request).await.unwrap() }), seen)
}

type Exchange = std::pin::Pin<Box<dyn Future<Output = Response<Content>>>>;

fn request() -> Request<FullBody> {
    Request::post("https://example.com/").body(FullBody::from("once")).unwrap()
}

/// RFC 9458 §6.5.2: the caller may correct a date and try again, once. The client by itself repeats
/// nothing.
#[tokio::test]
async fn a_refused_date_is_for_the_caller() {
    let (ask, seen) = client();
    let answer = ask(request()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["date"], GATEWAYS);
    assert_eq!(Problem::parse(&answer.body().data), Some(Problem::Date));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

/// RFC 9458 §6.5.2: a caller's second try is encapsulated anew.
#[tokio::test]
async fn a_corrected_request_is_a_new_encapsulation() {
    let (ask, seen) = client();
    for _ in 0..2 {
        let mut corrected = request();
        corrected.headers_mut().insert("date", HeaderValue::from_static(GATEWAYS));
        ask.clone()(corrected).await;
    }
    let seen = seen.lock().unwrap();
    let [(first, date), (second, same_date)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((date, same_date), (&HeaderValue::from_static(GATEWAYS), date));
    // The header is that of the key; `enc` and all behind it differ.
    assert_eq!(first[..7], second[..7]);
    assert_ne!(first[7..39], second[7..39]);
    assert_ne!(first[39..], second[39..]);
}

/// RFC 9458 §6.5.2: other requests know nothing of the gateway's date.
#[tokio::test]
async fn the_gateway_s_date_goes_into_no_other_request() {
    let (ask, seen) = client();
    for _ in 0..3 {
        ask.clone()(request()).await;
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(_, date)| date == OWN), "{seen:?}");
}
