//! When keys are fetched, and when not.

mod common;

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use oblivious_client::{
    Agreement, Client, ClientError, ClientLayer, Demand, FetchedKeys, Fetching, Gateway, KeyCache,
    KeyCacheBuilder, KeyFile, KeySource, KeySourceError, KeyStore, StoredKeys, TargetPattern,
};
use oblivious_hpke::{Provider, Random, RandomError, UnixSeconds};
use oblivious_service::{Content, Problem, TokioTimer};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use common::{Relay, TokioClock, get, published, ring, sealed};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What publishes keys: it counts, and can be told what to say.
#[derive(Clone)]
struct Publisher(Arc<Inner>);

struct Inner {
    seed: AtomicU8,
    /// The moments at which it was asked, and how.
    asked: Mutex<Vec<(Instant, Demand)>>,
    takes: Mutex<Duration>,
    max_age: Option<Duration>,
}

impl Publisher {
    fn new(max_age: Option<Duration>) -> Self {
        Self(Arc::new(Inner {
            seed: AtomicU8::new(1),
            asked: Mutex::default(),
            takes: Mutex::new(SECOND),
            max_age,
        }))
    }

    /// Publishes the key with this seed, or with 0 none at all.
    fn publish(&self, seed: u8) {
        self.0.seed.store(seed, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }

    fn cache(&self) -> KeyCacheBuilder {
        KeyCacheBuilder::new(self.clone(), TokioTimer).clock(TokioClock::start())
    }

    fn last(&self) -> (Instant, Demand) {
        *self.0.asked.lock().unwrap().last().unwrap()
    }
}

impl KeySource for Publisher {
    fn name(&self) -> String {
        "the publisher".to_owned()
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        Box::pin(async move {
            self.0.asked.lock().unwrap().push((Instant::now(), demand));
            let takes = *self.0.takes.lock().unwrap();
            sleep(takes).await;
            match self.0.seed.load(Ordering::Relaxed) {
                0 => Err(KeySourceError::Other { name: self.name(), error: "closed".into() }),
                seed => Ok(FetchedKeys { list: published(seed), fresh_for: self.0.max_age }),
            }
        })
    }

    fn is_independent_of(&self, _: &Uri) -> bool {
        true
    }
}

/// A client whose gateway accepts the keys with these seeds.
fn client(cache: &KeyCache, accepted: &Arc<Mutex<Vec<u8>>>) -> Client<impl Relay> {
    let gateway = Gateway::new(Uri::from_static(common::RELAY), cache.clone()).unwrap();
    let layer = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
    let accepted = Arc::clone(accepted);
    common::client(layer, move |outer| {
        let body = outer.into_body().data;
        for &seed in &*accepted.lock().unwrap() {
            if let Ok((_, reply)) =
                ring(seed).at(UnixSeconds::EPOCH).decapsulate(body.clone().into())
            {
                return sealed(reply, &Response::default());
            }
        }
        Problem::OhttpKey.into_response()
    })
}

fn accepting(seeds: &[u8]) -> Arc<Mutex<Vec<u8>>> {
    Arc::new(Mutex::new(seeds.to_vec()))
}

#[tokio::test(start_paused = true)]
async fn many_requests_wait_for_one_fetch() {
    let publisher = Publisher::new(Some(60 * MINUTE));
    let cache = publisher.cache().build();
    let client = client(&cache, &accepting(&[1]));
    assert_eq!(publisher.asked(), 0, "nothing is fetched before the first request");
    let requests = (0..50).map(|_| client.clone().oneshot(get("https://example.com/")));
    for outcome in futures_util::future::join_all(requests).await {
        outcome.unwrap();
    }
    assert_eq!(publisher.asked(), 1);
}

/// A request that is given up does not take the fetch of the others with it.
#[tokio::test(start_paused = true)]
async fn a_fetch_outlives_who_began_it() {
    let publisher = Publisher::new(None);
    let cache = publisher.cache().build();
    let first = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.recipient().await })
    };
    sleep(SECOND / 2).await;
    first.abort();
    cache.recipient().await.unwrap();
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_before_they_end_and_nobody_waits() {
    let publisher = Publisher::new(Some(100 * MINUTE));
    // As early as may be: what is random could also be the last moment.
    let early = Provider::default().with_random(&Zeros);
    let cache = publisher.cache().provider(early).spawn(|task| drop(tokio::spawn(task))).build();
    let start = Instant::now();
    cache.recipient().await.unwrap();
    publisher.publish(2);
    while publisher.asked() == 1 {
        sleep(MINUTE).await;
        let before = Instant::now();
        cache.recipient().await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
    let age = start.elapsed();
    assert!((75 * MINUTE..=102 * MINUTE).contains(&age), "{age:?}");
    assert_eq!(publisher.last().1, Demand::Cached);
    sleep(2 * SECOND).await;
    let of_new = cache.recipient().await.unwrap();
    let (request, _) = of_new.encapsulate(b"").unwrap();
    assert!(ring(2).at(UnixSeconds::EPOCH).decapsulate(request.into()).is_ok());
}

/// Without anything that runs in the background, a fetch goes on beside the requests.
#[tokio::test(start_paused = true)]
async fn requests_carry_a_fetch_along() {
    let publisher = Publisher::new(Some(100 * MINUTE));
    let cache = publisher.cache().build();
    let slow = |cache: &KeyCache| {
        let gateway = Gateway::new(Uri::from_static(common::RELAY), cache.clone()).unwrap();
        let layer = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
        tower::Layer::layer(
            &layer,
            tower::service_fn(|_: Request<_>| async {
                let _: Request<oblivious_client::OuterBody>;
                sleep(5 * SECOND).await;
                Err::<Response<Content>, _>(io::Error::other("busy"))
            }),
        )
    };
    cache.recipient().await.unwrap();
    // The moment of the fetch is random, and has passed when there is no time left.
    sleep(100 * MINUTE - Duration::from_millis(10)).await;
    publisher.publish(2);
    slow(&cache).oneshot(get("https://example.com/")).await.unwrap_err();
    assert_eq!(publisher.asked(), 2);
    let (request, _) = cache.recipient().await.unwrap().encapsulate(b"").unwrap();
    assert!(ring(2).at(UnixSeconds::EPOCH).decapsulate(request.into()).is_ok());
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_that_have_ended_are_not_used() {
    let publisher = Publisher::new(Some(10 * MINUTE));
    let cache = publisher.cache().build();
    cache.recipient().await.unwrap();
    sleep(11 * MINUTE).await;
    publisher.publish(0);
    let error = cache.recipient().await.unwrap_err();
    assert!(matches!(&*error, KeySourceError::Other { .. }));
    // The pause grows, up to the least interval, and requests in it get the same answer.
    for (wait, asked) in [(SECOND / 2, 2), (SECOND, 3), (SECOND, 3), (SECOND, 4), (2 * SECOND, 4)] {
        sleep(wait).await;
        let error = cache.recipient().await.unwrap_err();
        assert!(matches!(&*error, KeySourceError::Other { .. }));
        assert_eq!(publisher.asked(), asked, "after {wait:?}");
    }
    publisher.publish(1);
    sleep(MINUTE).await;
    assert!(cache.recipient().await.is_ok());
}

/// RFC 9458 §5.3: a sign of stale keys leads to one fetch, after a delay that is random, and none
/// before the least interval has passed.
#[tokio::test(start_paused = true)]
async fn a_rejected_key_is_fetched_again_once_and_not_at_once() {
    let publisher = Publisher::new(Some(60 * MINUTE));
    let cache = publisher.cache().spawn(|task| drop(tokio::spawn(task))).build();
    let accepted = accepting(&[1]);
    let client = client(&cache, &accepted);
    let ask = || client.clone().oneshot(get("https://example.com/"));
    ask().await.unwrap();

    // The gateway has lost its keys.
    publisher.publish(2);
    *accepted.lock().unwrap() = vec![2];
    let rejected = futures_util::future::join_all((0..50).map(|_| ask())).await;
    assert!(rejected.iter().all(|outcome| matches!(outcome, Err(ClientError::KeyRejected))));
    assert_eq!(publisher.asked(), 1, "not within the least interval");
    sleep(MINUTE).await;
    let sign = Instant::now();
    assert!(matches!(ask().await, Err(ClientError::KeyRejected)));
    cache.refreshed().await.unwrap();
    let (asked_at, demand) = publisher.last();
    assert!(asked_at - sign <= 30 * SECOND);
    assert_eq!((publisher.asked(), demand), (2, Demand::Revalidated));
    ask().await.unwrap();
    assert_eq!(publisher.asked(), 2);
}

/// Where nothing fetches in the background, too: old keys are not passed off as new ones.
#[tokio::test(start_paused = true)]
async fn keys_that_could_not_be_fetched_again_are_no_refreshed_ones() {
    let publisher = Publisher::new(Some(600 * MINUTE));
    let cache = publisher.cache().build();
    cache.recipient().await.unwrap();
    sleep(2 * MINUTE).await;
    publisher.publish(0);
    cache.note_stale();
    // The delay is over, so that the next one waits for the fetch.
    sleep(MINUTE).await;
    let failed = |error: &KeySourceError| matches!(error, KeySourceError::Other { .. });
    assert!(failed(&cache.refreshed().await.unwrap_err()));
    // Nor is it time for another fetch.
    assert!(failed(&cache.refreshed().await.unwrap_err()));
    assert_eq!(publisher.asked(), 2);
    assert!(cache.recipient().await.is_ok(), "the old ones are still good");
    publisher.publish(2);
    sleep(2 * MINUTE).await;
    cache.refreshed().await.unwrap();
    assert_eq!(publisher.asked(), 3);
}

/// One that was abandoned and ends all the same does not make room for a third.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_ends_late_leaves_the_newer_one_alone() {
    let publisher = Publisher::new(Some(600 * MINUTE));
    let cache = publisher.cache().fetch_timeout(7 * SECOND).build();
    let mut first = Box::pin(cache.recipient());
    assert!(futures_util::poll!(&mut first).is_pending());
    // Nobody goes on with it.
    sleep(15 * SECOND).await;
    let mut second = Box::pin(cache.recipient());
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(publisher.asked(), 2);
    assert!(futures_util::poll!(&mut first).is_ready());
    let mut third = Box::pin(cache.recipient());
    assert!(futures_util::poll!(&mut third).is_pending());
    assert_eq!(publisher.asked(), 2, "it waits for the second");
    second.await.unwrap();
    third.await.unwrap();
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_not_the_same_for_all() {
    let mut delays = Vec::new();
    for _ in 0..8 {
        let publisher = Publisher::new(Some(600 * MINUTE));
        let cache = publisher.cache().build();
        cache.recipient().await.unwrap();
        sleep(2 * MINUTE).await;
        let sign = Instant::now();
        cache.note_stale();
        cache.refreshed().await.unwrap();
        delays.push(publisher.last().0 - sign);
    }
    assert!(delays.iter().all(|delay| *delay <= 30 * SECOND), "{delays:?}");
    delays.sort_unstable();
    delays.dedup();
    // All equal to the millisecond has a chance of 1 in 30,000^7.
    assert!(delays.len() > 1, "{delays:?}");
}

/// RFC 9458 §5.3: a relay that answers by itself for an hour gets no more than a fetch a minute.
#[tokio::test(start_paused = true)]
async fn a_hostile_relay_cannot_make_a_client_hammer() {
    let publisher = Publisher::new(Some(1000 * MINUTE));
    let cache = publisher.cache().spawn(|task| drop(tokio::spawn(task))).build();
    let client = client(&cache, &accepting(&[]));
    let start = Instant::now();
    while start.elapsed() < 60 * MINUTE {
        client.clone().oneshot(get("https://example.com/")).await.unwrap_err();
        sleep(SECOND).await;
    }
    let asked = publisher.0.asked.lock().unwrap().clone();
    assert!((20..=60).contains(&asked.len()), "{}", asked.len());
    for pair in asked.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= MINUTE, "{pair:?}");
    }
}

/// A sign about keys that have been replaced in the meantime says nothing of the new ones.
#[tokio::test(start_paused = true)]
async fn an_answer_to_old_keys_is_no_sign_about_new_ones() {
    let publisher = Publisher::new(Some(600 * MINUTE));
    let cache = publisher.cache().build();
    let gateway = Gateway::new(Uri::from_static(common::RELAY), cache.clone()).unwrap();
    let layer = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
    // Its answer takes ten minutes.
    let slow = tower::Layer::layer(
        &layer,
        tower::service_fn(|_: Request<oblivious_client::OuterBody>| async {
            sleep(10 * MINUTE).await;
            Ok::<_, io::Error>(Problem::OhttpKey.into_response())
        }),
    );
    cache.recipient().await.unwrap();
    let asking = tokio::spawn(slow.oneshot(get("https://example.com/")));
    sleep(2 * MINUTE).await;
    publisher.publish(2);
    cache.note_stale();
    cache.refreshed().await.unwrap();
    assert_eq!(publisher.asked(), 2);
    assert!(matches!(asking.await.unwrap(), Err(ClientError::KeyRejected)));
    sleep(10 * MINUTE).await;
    cache.recipient().await.unwrap();
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn lifetimes_have_bounds() {
    for (max_age, after, asked) in [
        (Some(Duration::ZERO), 40 * SECOND, 1),
        (Some(Duration::ZERO), 62 * SECOND, 2),
        (None, 40 * MINUTE, 1),
        (None, 62 * MINUTE, 2),
        (Some(Duration::MAX), 24 * 5 * 60 * MINUTE, 1),
        (Some(Duration::MAX), 24 * 7 * 60 * MINUTE + SECOND, 2),
    ] {
        let publisher = Publisher::new(max_age);
        let cache = publisher.cache().build();
        cache.recipient().await.unwrap();
        sleep(after).await;
        cache.recipient().await.unwrap();
        cache.recipient().await.unwrap();
        assert_eq!(publisher.asked(), asked, "{max_age:?} {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_given_up() {
    let publisher = Publisher::new(None);
    *publisher.0.takes.lock().unwrap() = Duration::MAX / 4;
    let cache = publisher.cache().fetch_timeout(7 * SECOND).build();
    let start = Instant::now();
    let error = cache.recipient().await.unwrap_err();
    assert!(matches!(&*error, KeySourceError::TimedOut { .. }));
    assert_eq!(start.elapsed().as_secs(), 7);
}

/// RFC 9458 §7: sources that differ, from a moment on or at every fetch, bring nothing new into use.
#[tokio::test(start_paused = true)]
async fn keys_that_are_no_longer_agreed_on_are_not_taken() {
    let (one, other) = (Publisher::new(Some(60 * MINUTE)), Publisher::new(Some(60 * MINUTE)));
    let sources: [Box<dyn KeySource>; 2] = [Box::new(one.clone()), Box::new(other.clone())];
    let cache = KeyCacheBuilder::new(Agreement::of_all(sources).unwrap(), TokioTimer)
        .clock(TokioClock::start())
        .spawn(|task| drop(tokio::spawn(task)))
        .build();
    let accepted = accepting(&[1]);
    let client = client(&cache, &accepted);
    let ask = || client.clone().oneshot(get("https://example.com/"));
    ask().await.unwrap();
    let start = Instant::now();
    let mut seed = 2;
    while start.elapsed() < 60 * MINUTE {
        one.publish(seed);
        seed = seed % 200 + 2;
        ask().await.unwrap();
        sleep(MINUTE).await;
    }
    sleep(MINUTE).await;
    let Err(ClientError::Keys(error)) = ask().await else { panic!("they have ended") };
    assert!(one.asked() > 1, "it is tried again");
    assert!(matches!(&*error, KeySourceError::Disagreement { .. }));
    // The other one follows, as after a change of keys.
    one.publish(9);
    other.publish(9);
    accepted.lock().unwrap().push(9);
    sleep(MINUTE).await;
    ask().await.unwrap();
}

/// The least of all that is random.
struct Zeros;

impl Random for Zeros {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(0);
        Ok(())
    }
}

/// What a store was asked.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Option<StoredKeys>>>, Arc<AtomicUsize>);

impl KeyStore for Store {
    fn load(&self) -> io::Result<Option<StoredKeys>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn save(&self, keys: &StoredKeys) -> io::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        *self.0.lock().unwrap() = Some(keys.clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_the_process() {
    let store = Store::default();
    let publisher = Publisher::new(Some(60 * MINUTE));
    let clock = TokioClock::start();
    let build = || publisher.cache().clock(clock.clone()).store(store.clone()).build();
    build().recipient().await.unwrap();
    build().recipient().await.unwrap();
    assert_eq!((publisher.asked(), store.1.load(Ordering::Relaxed)), (1, 1));
    sleep(61 * MINUTE).await;
    build().recipient().await.unwrap();
    assert_eq!(publisher.asked(), 2);
    // Those of another source are not taken.
    store.0.lock().unwrap().as_mut().unwrap().source = "another one".to_owned();
    build().recipient().await.unwrap();
    assert_eq!(publisher.asked(), 3);
    // Nor what is no list.
    store.0.lock().unwrap().as_mut().unwrap().list = Bytes::from_static(b"\0");
    build().recipient().await.unwrap();
    assert_eq!(publisher.asked(), 4);
}

#[test]
fn a_file_keeps_keys() {
    let path = std::env::temp_dir().join(format!("oblivious-keys-{}", std::process::id()));
    let file = KeyFile::new(&path);
    assert_eq!(file.load().unwrap(), None);
    let keys = StoredKeys {
        source: "https://gateway.example/".to_owned(),
        list: published(1),
        fresh_until: common::now(),
    };
    file.save(&keys).unwrap();
    assert_eq!(file.load().unwrap(), Some(keys));
    for damaged in ["", "{}", "{\"source\":\"x\",\"fresh_until\":1,\"list\":\"zz\"}"] {
        std::fs::write(&path, damaged).unwrap();
        assert!(file.load().is_err(), "{damaged}");
    }
    std::fs::remove_file(&path).unwrap();
}
