//! A client whose clock is wrong, and one that is made to believe so.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use oblivious_bhttp::Content;
use oblivious_client::{
    Client, ClientLayer, Demand, FetchedKeys, Fetching, Gateway, KeyCache, KeySource, TargetPattern,
};
use oblivious_service::{Clock, Problem, TokioTimer};
use tower::ServiceExt;

use common::{FixedClock, Relay, TokioClock, client, layer, now, open, published, sealed, whole};

/// The date of the client, and that of a gateway which finds it wrong.
const OWN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const GATEWAYS: &str = "Mon, 07 Feb 2022 00:28:05 GMT";

/// What each request looked like outside, and its date inside.
type Seen = Arc<Mutex<Vec<(Bytes, HeaderValue)>>>;

/// A client of a gateway that answers what `answer` makes of the date of a request.
fn asked(
    layer: ClientLayer,
    answer: impl Fn(&HeaderMap) -> Response<Content> + Clone + Send + 'static,
) -> (Client<impl Relay>, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let client = client(layer, move |outer| {
        let outside = outer.body().clone().data;
        let (request, reply) = open(outer);
        noted.lock().unwrap().push((outside, request.headers()["date"].clone()));
        assert_eq!(request.body().data, "once");
        sealed(reply, &answer(request.headers()))
    });
    (client, seen)
}

/// A refusal by a gateway whose clock says `date`.
fn refusal(date: &str) -> Response<Content> {
    let mut refusal = Problem::Date.into_response().map(|body| Content::from(body.data));
    refusal.headers_mut().insert("date", date.parse().unwrap());
    refusal
}

/// Takes the gateway's date and no other.
fn strict(headers: &HeaderMap) -> Response<Content> {
    match headers["date"] == GATEWAYS {
        true => Response::new(Content::from("done")),
        false => refusal(GATEWAYS),
    }
}

fn request() -> Request<Content> {
    Request::post("https://example.com/").body(Content::from("once")).unwrap()
}

fn dates(seen: &Seen) -> Vec<HeaderValue> {
    seen.lock().unwrap().iter().map(|(_, date)| date.clone()).collect()
}

/// RFC 9458 §6.5.2: once more with the gateway's date, and encapsulated anew.
#[tokio::test]
async fn a_refused_date_is_corrected_in_a_new_encapsulation() {
    let (client, seen) = asked(layer().clock(FixedClock), strict);
    let response = whole(client.oneshot(request()).await.unwrap()).await;
    assert_eq!(response.body().data, "done");
    assert_eq!(dates(&seen), [OWN, GATEWAYS]);
    let seen = seen.lock().unwrap();
    let [(first, _), (second, _)] = &seen[..] else { panic!("{seen:?}") };
    // The header is that of the key; `enc` and all behind it differ.
    assert_eq!(first[..7], second[..7]);
    assert_ne!(first[7..39], second[7..39]);
    assert_ne!(first[39..], second[39..]);
}

/// RFC 9458 §6.5.2: a date is corrected once at most, and a second refusal is for the caller.
#[tokio::test]
async fn a_date_is_corrected_once_at_most() {
    let (client, seen) = asked(layer().clock(FixedClock), |_| refusal(GATEWAYS));
    let response = whole(client.oneshot(request()).await.unwrap()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(Problem::parse(&response.body().data), Some(Problem::Date));
    assert_eq!(dates(&seen), [OWN, GATEWAYS]);
}

/// RFC 9458 §6.5.2: other requests know nothing of the gateway's date.
#[tokio::test]
async fn the_gateway_s_date_goes_into_no_other_request() {
    let (client, seen) = asked(layer().clock(FixedClock), strict);
    for _ in 0..3 {
        client.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(dates(&seen), [OWN, GATEWAYS, OWN, GATEWAYS, OWN, GATEWAYS]);
}

/// A clock that goes on by a minute whenever it is asked.
struct MinuteClock(Mutex<SystemTime>);

impl Clock for MinuteClock {
    fn now(&self) -> SystemTime {
        let mut now = self.0.lock().unwrap();
        *now += Duration::from_secs(60);
        *now
    }
}

/// RFC 9458 §6.5: if clocks agree, the request was held up, and a copy of it may have been served.
#[tokio::test]
async fn a_request_that_was_held_up_is_not_sent_again() {
    let clock = MinuteClock(Mutex::new(now() - Duration::from_secs(60)));
    // Half a minute after it was sent and before the refusal is there.
    let (client, seen) = asked(layer().clock(clock), |_| refusal("Sun, 06 Nov 1994 08:50:07 GMT"));
    let response = client.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(dates(&seen), [OWN]);
}

/// RFC 9458 §6.5.2: only what says that it is about the date is.
#[tokio::test]
async fn other_answers_correct_nothing() {
    let untyped = || {
        let mut answer = refusal(GATEWAYS);
        answer.headers_mut().remove("content-type");
        answer
    };
    let fine = || {
        let mut answer = refusal(GATEWAYS);
        *answer.status_mut() = StatusCode::OK;
        answer
    };
    let other = || refusal(GATEWAYS).map(|_| Content::from(Problem::OhttpKey.to_json()));
    let undated = || {
        let mut answer = refusal(GATEWAYS);
        answer.headers_mut().remove("date");
        answer
    };
    let unreadable = || refusal("soon");
    for answer in [untyped as fn() -> Response<Content>, fine, other, undated, unreadable] {
        let (client, seen) = asked(layer().clock(FixedClock), move |_| answer());
        client.oneshot(request()).await.unwrap();
        assert_eq!(dates(&seen), [OWN]);
    }
}

#[tokio::test]
async fn dates_of_the_caller_are_corrected_by_the_caller() {
    let (client, seen) = asked(layer().clock(FixedClock), strict);
    let mut own = request();
    own.headers_mut().insert("date", HeaderValue::from_static(OWN));
    client.oneshot(own).await.unwrap();
    assert_eq!(dates(&seen), [OWN]);

    let (client, seen) = asked(layer().clock(FixedClock).without_date_correction(), strict);
    client.oneshot(request()).await.unwrap();
    assert_eq!(dates(&seen), [OWN]);
}

/// A gateway that was started at the client's own date, and remembers nothing from before.
fn just_started(headers: &HeaderMap) -> Response<Content> {
    let date = headers["date"].to_str().unwrap();
    let (date, start) = (httpdate::parse_http_date(date), httpdate::parse_http_date(OWN));
    match date.unwrap() >= start.unwrap() {
        true => Response::new(Content::from("done")),
        false => refusal(OWN),
    }
}

/// RFC 9458 §6.5.2: though the clocks agree, what a coarse date says does not.
#[tokio::test]
async fn a_date_that_was_too_coarse_is_corrected() {
    let coarse = || layer().date_precision(Duration::from_secs(600));
    let (client, seen) = asked(coarse().clock(FixedClock), just_started);
    let response = whole(client.oneshot(request()).await.unwrap()).await;
    assert_eq!(response.body().data, "done");
    assert_eq!(dates(&seen), ["Sun, 06 Nov 1994 08:40:00 GMT", OWN]);

    // RFC 9458 §6.5: but if the request was held up, a copy of it may have been served.
    let clock = MinuteClock(Mutex::new(now() - Duration::from_secs(60)));
    let late = |_: &HeaderMap| refusal("Sun, 06 Nov 1994 08:50:07 GMT");
    let (client, seen) = asked(coarse().clock(clock), late);
    let response = client.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(dates(&seen), ["Sun, 06 Nov 1994 08:40:00 GMT"]);
}

/// Keys that are there after a while.
struct SlowKeys(Duration);

impl KeySource for SlowKeys {
    fn name(&self) -> String {
        "slow keys".to_owned()
    }

    fn fetch(&self, _: Demand) -> Fetching<'_> {
        Box::pin(async {
            tokio::time::sleep(self.0).await;
            Ok(FetchedKeys { list: published(1), fresh_for: None })
        })
    }

    fn is_independent_of(&self, _: &Uri) -> bool {
        true
    }
}

/// RFC 9458 §6.5.1: when the request is made, not when the keys for it are asked for.
#[tokio::test(start_paused = true)]
async fn the_date_is_that_of_the_encoding() {
    let keys = KeyCache::new(SlowKeys(Duration::from_secs(28)), TokioTimer);
    let gateway = Gateway::new(Uri::from_static(common::RELAY), keys).unwrap();
    let layer = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
    let (client, seen) =
        asked(layer.clock(TokioClock::start()), |_| Response::new(Content::default()));
    client.oneshot(request()).await.unwrap();
    assert_eq!(dates(&seen), ["Sun, 06 Nov 1994 08:50:05 GMT"]);
}

/// RFC 9458 §6.8
#[tokio::test]
async fn dates_can_be_coarse() {
    let coarse = layer().clock(FixedClock).date_precision(Duration::from_secs(600));
    let (client, seen) = asked(coarse, |_| Response::new(Content::default()));
    client.oneshot(request()).await.unwrap();
    assert_eq!(dates(&seen), ["Sun, 06 Nov 1994 08:40:00 GMT"]);
}
