//! Where keys are fetched, and what is made of the answers.

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use oblivious_client::{
    Agreement, AgreementError, ClientError, ClientLayer, Demand, FixedKeys, Gateway, GatewayError,
    KeyCache, KeyDigest, KeySource, KeySourceError, KeyUrlError, PinnedKeys, TargetPattern,
    UrlKeys,
};
use oblivious_hpke::Provider;
use oblivious_keys::{KeyConfigList, Preferences};
use oblivious_service::{BoxError, Content, Timeout, TokioTimer};
use tower::{Layer, Service, ServiceExt, service_fn};

use common::{get, published};

const KEYS: &str = "https://gateway.example/ohttp-keys";

/// A service that sends HTTP requests, as far as these tests know one.
trait HttpClient:
    Service<Request<Content>, Response = Response<Content>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> HttpClient for S where
    S: Service<Request<Content>, Response = Response<Content>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static
{
}

fn server(
    answer: impl Fn(Request<Content>) -> Response<Content> + Clone + Send + 'static,
) -> impl HttpClient {
    service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, BoxError>(answer) }
    })
}

fn keys(list: impl Into<Bytes>) -> Response<Content> {
    let response = Response::builder().header("content-type", "application/ohttp-keys");
    response.body(list.into().into()).unwrap()
}

fn at(uri: &'static str, list: Bytes) -> Box<dyn KeySource> {
    let http_client = server(move |_| keys(list.clone()));
    Box::new(UrlKeys::new(Uri::from_static(uri), http_client).unwrap())
}

fn failing(uri: &'static str) -> Box<dyn KeySource> {
    let http_client = service_fn(|_: Request<Content>| async {
        Err::<Response<Content>, BoxError>("no route to host".into())
    });
    Box::new(UrlKeys::new(Uri::from_static(uri), http_client).unwrap())
}

/// RFC 9458 §3 and §6.1: keys are fetched over HTTPS, unless a test wants it otherwise by name.
#[tokio::test]
async fn keys_over_http_take_permission() {
    let http_client = server(|_| keys(published(1)));
    let uri = Uri::from_static("http://gateway.example/ohttp-keys");
    for refused in [
        UrlKeys::new(uri.clone(), http_client.clone()),
        UrlKeys::discover(&uri, http_client.clone()),
    ] {
        assert!(matches!(refused.unwrap_err(), KeyUrlError::Scheme { .. }));
    }
    let allowed = UrlKeys::allowing_http(uri, http_client).unwrap();
    assert_eq!(allowed.fetch(Demand::Cached).await.unwrap().list, published(1));
}

/// RFC 9458 §3.2, and nothing in the question that tells one client from another.
#[tokio::test]
async fn a_list_is_fetched_with_a_question_that_is_the_same_for_all() {
    let http_client = server(|request| {
        assert_eq!((request.method().as_str(), request.uri()), ("GET", &Uri::from_static(KEYS)));
        let fields: Vec<_> = request.headers().iter().collect();
        assert_eq!(fields, [(&header::ACCEPT, &"application/ohttp-keys".parse().unwrap())]);
        let mut response = keys(published(1));
        response.headers_mut().insert("cache-control", "max-age=100".parse().unwrap());
        response.headers_mut().insert("age", "40".parse().unwrap());
        response
    });
    let source = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap();
    let fetched = source.fetch(Demand::Cached).await.unwrap();
    assert_eq!(fetched.list, published(1));
    assert_eq!(fetched.fresh_for, Some(Duration::from_secs(60)));
    assert_eq!(source.name(), KEYS);
}

#[tokio::test]
async fn an_entity_tag_saves_the_list() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let http_client = server(move |request| {
        let field = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
        let (tag, demand) = (field("if-none-match"), field("cache-control"));
        noted.lock().unwrap().push((tag.is_some(), demand.is_some()));
        let mut response = keys(published(1));
        if tag == Some("\"1\"") {
            response = Response::default();
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response.headers_mut().insert("etag", "\"1\"".parse().unwrap());
        response.headers_mut().insert("cache-control", "max-age=7".parse().unwrap());
        response
    });
    let source = UrlKeys::new(Uri::from_static(KEYS), http_client.clone()).unwrap();
    for demand in [Demand::Cached, Demand::Cached, Demand::Revalidated] {
        let fetched = source.fetch(demand).await.unwrap();
        assert_eq!(fetched.list, published(1));
        assert_eq!(fetched.fresh_for, Some(Duration::from_secs(7)));
    }
    assert_eq!(
        std::mem::take(&mut *asked.lock().unwrap()),
        [(false, false), (true, false), (true, true)]
    );

    let source = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap().without_etag();
    for _ in 0..2 {
        source.fetch(Demand::Cached).await.unwrap();
    }
    assert_eq!(*asked.lock().unwrap(), [(false, false); 2]);
}

/// draft-schinazi-httpbis-ohttp-ext-key-config: what is valid now, and for no longer than that.
#[cfg(feature = "extended-keys")]
#[tokio::test(start_paused = true)]
async fn keys_that_say_when_they_are_valid_are_used_then() {
    use oblivious_keys::{ExtendedKeyConfig, ExtendedKeyConfigList};
    let clock = common::TokioClock::start();
    let now = common::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let config = |seed| KeyConfigList::decode(&published(seed)).unwrap().configs()[0].clone();
    let list = ExtendedKeyConfigList::new(vec![
        ExtendedKeyConfig { expiration: Some(now + 50), ..config(1).into() },
        ExtendedKeyConfig {
            not_before: Some(now + 40),
            expiration: Some(now + 90),
            ..config(2).into()
        },
    ]);
    let list = list.unwrap().encode();
    let http_client = server(move |request| {
        let accepted = &request.headers()["accept"];
        assert_eq!(accepted, "application/ohttp-keys-ext-00, application/ohttp-keys;q=0.9");
        let mut response = match request.headers().contains_key("if-none-match") {
            true => Response::builder().status(304).body(Content::default()).unwrap(),
            false => keys(list.clone()),
        };
        let headers = response.headers_mut();
        headers.insert("content-type", "Application/ohttp-keys-ext-00".parse().unwrap());
        headers.insert("etag", "\"1\"".parse().unwrap());
        headers.insert("cache-control", "max-age=60".parse().unwrap());
        response
    });
    let source = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap().extended(clock);
    let both = [config(1), config(2)].to_vec();
    let both = KeyConfigList::new(both).unwrap().encode();
    for (list, seconds) in [(published(1), 51), (both, 11), (published(2), 31)] {
        let fetched = source.fetch(Demand::Cached).await.unwrap();
        assert_eq!((fetched.list, fetched.fresh_for), (list, Some(Duration::from_secs(seconds))));
        tokio::time::sleep(Duration::from_secs(if seconds == 51 { 40 } else { 20 })).await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    let error = source.fetch(Demand::Cached).await.unwrap_err();
    assert!(matches!(error, KeySourceError::NoneValid { .. }), "{error:?}");
}

/// RFC 9540 §5: the well-known resource, wherever it redirects to; and the relay, which has its own
/// way there, is not told.
#[tokio::test]
async fn a_gateway_is_discovered_and_the_relay_is_not_told_where() {
    let moved = |to: &'static str| {
        Response::builder().status(307).header("location", to).body(Content::default()).unwrap()
    };
    let http_client = server(move |request| match request.uri().to_string().as_str() {
        "https://example.com/.well-known/ohttp-gateway" => moved("/at/a/secret/4711"),
        "https://example.com/at/a/secret/4711" => moved("https://gateway.example/4711"),
        "https://gateway.example/4711" => keys(published(1)),
        other => panic!("{other}"),
    });
    let origin = Uri::from_static("https://example.com/any?thing");
    let source = UrlKeys::discover(&origin, http_client).unwrap();
    assert_eq!(source.name(), "https://example.com/.well-known/ohttp-gateway");
    let cache = KeyCache::new(source, TokioTimer);
    let gateway = Gateway::new(Uri::from_static(common::RELAY), cache).unwrap();
    let layer = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
    let client = common::client(layer, |outer| {
        assert_eq!(outer.uri(), common::RELAY);
        assert!(!format!("{:?}", outer.headers()).contains("4711"));
        let (request, reply) = common::open(outer);
        assert!(!format!("{request:?}").contains("4711"));
        common::sealed(reply, &Response::default())
    });
    assert!(client.oneshot(get("https://example.com/")).await.is_ok());
}

#[tokio::test]
async fn redirects_have_an_end_and_stay_on_https() {
    let moved = |to: &'static str| {
        server(move |_| {
            let response = Response::builder().status(302).header("location", to);
            response.body(Content::default()).unwrap()
        })
    };
    let origin = Uri::from_static("https://example.com/");
    for to in ["/again", "http://example.com/clear", "https://me:secret@example.com/", "::"] {
        let source = UrlKeys::discover(&origin, moved(to)).unwrap();
        let error = source.fetch(Demand::Cached).await.unwrap_err();
        assert!(matches!(error, KeySourceError::Redirect { .. }), "{to}: {error:?}");
    }
    // Without discovery, none is followed.
    let source = UrlKeys::new(Uri::from_static(KEYS), moved("/again")).unwrap();
    assert!(matches!(source.fetch(Demand::Cached).await, Err(KeySourceError::Redirect { .. })));
}

/// RFC 9458 §3.2: what is not a list, as a whole, is none.
#[tokio::test]
async fn what_is_no_list_is_refused() {
    let cut_short = published(1).slice(..10);
    let mut html = keys(published(1));
    html.headers_mut().insert("content-type", "text/html".parse().unwrap());
    let mut failed = keys(published(1));
    *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let endless = keys(vec![0; (256 << 10) + 1]);
    let fetch = |response: Response<Content>| async move {
        let http_client = server(move |_| response.clone());
        let source = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap();
        source.fetch(Demand::Cached).await.unwrap_err()
    };
    assert!(matches!(fetch(keys(cut_short)).await, KeySourceError::Invalid { .. }));
    assert!(matches!(fetch(html).await, KeySourceError::MediaType { .. }));
    assert!(matches!(fetch(failed).await, KeySourceError::Status { .. }));
    assert!(matches!(fetch(endless).await, KeySourceError::TooLong { .. }));
    let error = failing(KEYS).fetch(Demand::Cached).await.unwrap_err();
    assert!(matches!(&error, KeySourceError::Unreachable { name, .. } if name == KEYS));
}

#[tokio::test]
async fn the_bare_form_is_read_where_it_is_asked_for() {
    let list = KeyConfigList::decode(&published(1)).unwrap();
    let mut bare = Vec::new();
    list.configs()[0].encode(&mut bare);
    let http_client = server(move |request| {
        assert!(request.headers().is_empty());
        Response::new(Content::from(bare.clone()))
    });
    let source = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap().bare();
    assert_eq!(source.fetch(Demand::Cached).await.unwrap().list, published(1));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_is_given_up() {
    let http_client = service_fn(|_: Request<Content>| {
        std::future::pending::<Result<Response<Content>, BoxError>>()
    });
    let source = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap();
    let source = source.timeout(Timeout::new(Duration::from_secs(5), TokioTimer));
    let error = source.fetch(Demand::Cached).await.unwrap_err();
    assert!(matches!(error, KeySourceError::TimedOut { .. }));
}

/// RFC 9458 §7
#[tokio::test]
async fn a_pinned_digest_decides() {
    let digest = KeyDigest::of(&published(1));
    assert_eq!(digest.to_string().len(), 64);
    assert!("sixty-four digits".parse::<KeyDigest>().is_err());
    let right = PinnedKeys::new(at(KEYS, published(1)), digest);
    assert_eq!(right.fetch(Demand::Cached).await.unwrap().list, published(1));
    let wrong = PinnedKeys::new(at(KEYS, published(2)), digest);
    let error = wrong.fetch(Demand::Cached).await.unwrap_err();
    let found = KeyDigest::of(&published(2)).to_string();
    assert!(matches!(error, KeySourceError::Digest { .. }));
    assert!(error.to_string().contains(&found) && error.to_string().contains(KEYS), "{error}");
    let next = PinnedKeys::new(at(KEYS, published(2)), digest).or(KeyDigest::of(&published(2)));
    assert!(next.fetch(Demand::Cached).await.is_ok());
}

const ONE: &str = "https://one.example/";
const TWO: &str = "https://two.example/";
const THREE: &str = "https://three.example/";

/// RFC 9458 §7, RFC 9540 §7.1: byte for byte, all or as many as are asked for.
#[tokio::test]
async fn sources_agree_or_there_are_no_keys() {
    let agreed = |required, seeds: [Option<u8>; 3]| async move {
        let sources = [ONE, TWO, THREE].into_iter().zip(seeds);
        let sources = sources.map(|(uri, seed)| match seed {
            Some(seed) => at(uri, published(seed)),
            None => failing(uri),
        });
        Agreement::of(required, sources).unwrap().fetch(Demand::Cached).await
    };
    for (required, seeds) in [
        (3, [Some(1), Some(1), Some(1)]),
        (2, [Some(1), Some(1), Some(2)]),
        (2, [Some(2), Some(1), Some(1)]),
        (2, [Some(1), None, Some(1)]),
    ] {
        let keys = agreed(required, seeds).await.unwrap();
        assert_eq!(keys.list, published(1), "{seeds:?}");
    }
    for (required, seeds) in [
        (3, [Some(1), Some(1), Some(2)]),
        (2, [Some(1), Some(2), Some(3)]),
        (2, [Some(1), None, Some(2)]),
    ] {
        let error = agreed(required, seeds).await.unwrap_err();
        assert!(matches!(error, KeySourceError::Disagreement { .. }), "{seeds:?}: {error:?}");
    }
    let error = agreed(3, [Some(1), Some(1), None]).await.unwrap_err();
    assert!(matches!(error, KeySourceError::TooFew { answered: 2, required: 3, error: Some(_) }));
    let error = agreed(3, [None, None, None]).await.unwrap_err();
    assert!(matches!(error, KeySourceError::TooFew { answered: 0, .. }));

    let none = |required, count| {
        let sources = [ONE, TWO, THREE].map(failing).into_iter().take(count);
        Agreement::of(required, sources).unwrap_err()
    };
    let expected = [(1, 2), (0, 0), (3, 2)];
    for (required, sources) in expected {
        let AgreementError { required: of, sources: among, .. } = none(required, sources);
        assert_eq!((of, among), (required, sources));
    }
    assert!(Agreement::of_all([failing(ONE)]).is_err());
}

const FOUR: &str = "https://four.example/";

fn silent(uri: &'static str) -> Box<dyn KeySource> {
    let http_client = service_fn(|_: Request<Content>| {
        std::future::pending::<Result<Response<Content>, BoxError>>()
    });
    Box::new(UrlKeys::new(Uri::from_static(uri), http_client).unwrap())
}

/// A source that hangs does not keep the others from deciding, even if those that are missing could
/// be as many again. RFC 9458 §7: what has come in the meantime counts.
#[tokio::test(start_paused = true)]
async fn as_many_as_must_agree_are_enough() {
    let fetch = |sources: [Box<dyn KeySource>; 4]| async move {
        let agreement = Agreement::of(2, sources).unwrap();
        let fetching = agreement.fetch(Demand::Cached);
        tokio::time::timeout(Duration::from_secs(60), fetching).await.expect("it is decided")
    };
    let keys =
        fetch([at(ONE, published(1)), silent(TWO), at(THREE, published(1)), silent(FOUR)]).await;
    assert_eq!(keys.unwrap().list, published(1));
    let keys = fetch([
        at(ONE, published(2)),
        silent(TWO),
        at(THREE, published(1)),
        at(FOUR, published(1)),
    ]);
    assert_eq!(keys.await.unwrap().list, published(1));
    let error = fetch([
        at(ONE, published(1)),
        at(TWO, published(1)),
        at(THREE, published(2)),
        at(FOUR, published(2)),
    ]);
    let error = error.await.unwrap_err();
    assert!(matches!(error, KeySourceError::Disagreement { .. }), "{error:?}");
}

/// RFC 9458 §7: the error names who says what, and nothing is sent.
#[tokio::test]
async fn a_gateway_with_a_key_for_each_source_is_caught_before_the_first_request() {
    let sources = [at(ONE, published(1)), at(TWO, published(2))];
    let cache = KeyCache::new(Agreement::of_all(sources).unwrap(), TokioTimer);
    let gateway = Gateway::new(Uri::from_static(common::RELAY), cache).unwrap();
    let layer = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
    let client = layer.layer(service_fn(|_: Request<oblivious_client::OuterBody>| async {
        panic!("a request went out");
        #[allow(unreachable_code, reason = "for the type")]
        Ok::<Response<Content>, BoxError>(Response::default())
    }));
    let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
    let ClientError::Keys(error) = error else { panic!("{error:?}") };
    let KeySourceError::Disagreement { groups } = &*error else { panic!("{error:?}") };
    assert_eq!(*groups, [[ONE], [TWO]]);
    assert!(error.to_string().contains(&format!("{ONE}, against {TWO}")), "{error}");
}

/// RFC 9458 §3 and §6.1: what the relay alone says is not the gateway's.
#[test]
fn the_relay_cannot_be_the_sole_source_of_keys() {
    let relay = || Uri::from_static(common::RELAY);
    let of_relay = "https://relay.example:443/ohttp-keys";
    let build = |source: Box<dyn KeySource>| {
        Gateway::new(relay(), KeyCache::new(source, TokioTimer)).map(|_| ())
    };
    let refused = |source| matches!(build(source), Err(GatewayError::KeysOfRelay { .. }));
    assert!(refused(at(of_relay, published(1))));
    let http_client = server(|_| keys(published(1)));
    let elsewhere = UrlKeys::new(Uri::from_static(KEYS), http_client).unwrap().by_relay();
    assert!(refused(Box::new(elsewhere)));
    // It cannot agree with itself either, nor make up the number.
    let twice = [at(of_relay, published(1)), at("https://relay.example/2", published(1))];
    assert!(refused(Box::new(Agreement::of_all(twice).unwrap())));
    let majority = [
        at(of_relay, published(1)),
        at("https://relay.example/2", published(1)),
        at(KEYS, published(1)),
    ];
    assert!(refused(Box::new(Agreement::of(2, majority).unwrap())));

    assert_eq!(build(at(KEYS, published(1))), Ok(()));
    let compared = [at(of_relay, published(1)), at(KEYS, published(1))];
    assert_eq!(build(Box::new(Agreement::of_all(compared).unwrap())), Ok(()));
    let digest = KeyDigest::of(&published(1));
    assert_eq!(build(Box::new(PinnedKeys::new(at(of_relay, published(1)), digest))), Ok(()));
    assert_eq!(build(Box::new(FixedKeys::new(published(1)).unwrap())), Ok(()));
}

/// Post-quantum first, where it is offered.
#[tokio::test]
async fn the_best_of_the_list_is_taken() {
    use oblivious_client::KeyCacheBuilder;
    use oblivious_keys::{KemId, KeyConfig, SymmetricSuite};
    let suites = || vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM];
    let x25519 = KeyConfigList::decode(&published(1)).unwrap().configs()[0].clone();
    let pair = oblivious_hpke::KeyPair::generate(KemId::X_WING, Provider::default()).unwrap();
    let x_wing = KeyConfig::new(2, KemId::X_WING, pair.public_key().to_vec(), suites()).unwrap();
    let list = KeyConfigList::new(vec![x25519, x_wing]).unwrap().encode();
    let source = || FixedKeys::new(list.clone()).unwrap();
    let cache = KeyCache::new(source(), TokioTimer);
    assert_eq!(cache.recipient().await.unwrap().header().kem, KemId::X_WING);
    let classic = Preferences::new(vec![KemId::X25519_HKDF_SHA256], suites());
    let cache = KeyCacheBuilder::new(source(), TokioTimer).preferences(classic).build();
    assert_eq!(cache.recipient().await.unwrap().header().kem, KemId::X25519_HKDF_SHA256);
    let nothing = Preferences::new(vec![KemId::P256_HKDF_SHA256], suites());
    let cache = KeyCacheBuilder::new(source(), TokioTimer).preferences(nothing).build();
    let error = cache.recipient().await.unwrap_err();
    assert!(matches!(&*error, KeySourceError::Unusable { .. }));
}
