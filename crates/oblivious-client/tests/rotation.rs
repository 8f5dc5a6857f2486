//! Keys that change while clients send.

mod common;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response, StatusCode, Uri};
use oblivious_client::{ClientLayer, Gateway, KeyCacheBuilder, TargetPattern, UrlKeys};
use oblivious_gateway::{
    GatewayBody, GatewayLayer, KeyRotation, KeySchedule, Origin, PublishKeys, ScheduleSettings,
    Seed,
};
use oblivious_service::{BoxError, Clock, Content, TokioTimer};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};

use common::{TokioClock, get, whole};

const CLIENTS: u64 = 50;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a key is published, and may be kept.
const INTERVAL: Duration = Duration::from_secs(20 * 60);
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// RFC 9458 §6.4: four keys, one after the other, and nobody notices.
#[tokio::test(start_paused = true)]
async fn no_request_is_lost_while_keys_change() {
    let clock = TokioClock::start();
    let settings = ScheduleSettings::default()
        .with_interval(INTERVAL)
        .with_max_age(MAX_AGE)
        .with_grace(MINUTE)
        .with_skew(SECOND);
    let schedule = KeySchedule::seed(settings, Seed::new(&mut [9; Seed::LEN])).unwrap();
    let rotation = KeyRotation::start(schedule, clock.clone(), TokioTimer).unwrap();
    let target = service_fn(|_: Request<GatewayBody>| async {
        Ok::<_, Infallible>(Response::new(Content::from("an answer")))
    });
    let gateway = GatewayLayer::new(rotation.keys())
        .clock(clock.clone())
        .targets("https://example.com".parse::<Origin>().unwrap())
        .layer(target);
    let publish = PublishKeys::new(rotation.keys()).max_age(MAX_AGE).clock(clock.clone());
    let (live, mut published) = (rotation.keys(), Vec::new());
    tokio::spawn(rotation.run());

    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let fetched = Arc::new(Mutex::new(Vec::new()));
        let (noted, publish) = (Arc::clone(&fetched), publish.clone());
        let key_server = service_fn(move |request: Request<Content>| {
            noted.lock().unwrap().push(Instant::now());
            let answer = publish.clone().oneshot(request);
            async move {
                sleep(SECOND).await;
                Ok::<_, BoxError>(answer.await?)
            }
        });
        let uri = Uri::from_static("https://gateway.example/ohttp-keys");
        let source = UrlKeys::new(uri, key_server).unwrap();
        let cache = KeyCacheBuilder::new(source, TokioTimer)
            .clock(clock.clone())
            .spawn(|task| drop(tokio::spawn(task)))
            .build();
        let relay = Gateway::new(Uri::from_static(common::RELAY), cache).unwrap();
        let client = ClientLayer::new(relay.allow(TargetPattern::any_https()))
            .clock(clock.clone())
            .layer(gateway.clone());
        clients.push(tokio::spawn(async move {
            let start = Instant::now();
            let mut answered = 0;
            while start.elapsed() < 4 * INTERVAL {
                let request = get("https://example.com/");
                let response = client.clone().oneshot(request).await.expect("an answer");
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(whole(response).await.body().data, "an answer");
                answered += 1;
                sleep(30 * SECOND + Duration::from_millis(137 * number)).await;
            }
            (answered, std::mem::take(&mut *fetched.lock().unwrap()))
        }));
    }
    for _ in 0..4 {
        let now = clock.now().into();
        published.push(live.current().published(now).unwrap().list.encode());
        sleep(INTERVAL).await;
    }
    published.dedup();
    assert_eq!(published.len(), 4, "keys did change");
    for client in clients {
        let (answered, fetched) = client.await.unwrap();
        assert!(answered > 100, "{answered}");
        // Before each end, and not much more often.
        assert!((8..=12).contains(&fetched.len()), "{}", fetched.len());
        for pair in fetched.windows(2) {
            assert!(pair[1] - pair[0] >= MAX_AGE * 3 / 4, "{:?}", pair[1] - pair[0]);
        }
    }
}
