//! How long an exchange in chunks may stand still.

mod common;

use std::time::Duration;

use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use oblivious_bhttp::{Content, Informational};
use oblivious_client::{ClientBodyError, ClientError};
use oblivious_gateway::{GatewayBody, InformationalSender};
use oblivious_service::{BoxError, Timeout, TokioTimer, collect};
use tower::{ServiceExt, service_fn};

use common::{
    get, layer,
    streams::{asking, collected, data, fed, next, next_text, post},
    whole,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_answer_that_stands_still_is_a_time_out() {
    let target = service_fn(|_: Request<GatewayBody>| async {
        let (feed, body) = fed();
        tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(9 * SECOND).await;
                feed.send(data("x")).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        Ok::<_, BoxError>(Response::new(body))
    });
    let layer = layer().idle_timeout(Timeout::new(10 * SECOND, TokioTimer));
    let response = asking(layer, target).oneshot(get("https://example.com/")).await.unwrap();
    let mut body = response.into_body();
    for _ in 0..3 {
        assert_eq!(next_text(&mut body).await, "x");
    }
    let error = next(&mut body).await.unwrap().unwrap_err();
    assert!(matches!(error, ClientBodyError::TimedOut), "{error:?}");
    assert!(next(&mut body).await.is_none());
}

/// Time during which nobody reads is not the relay's.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_timed_out() {
    let target = service_fn(|_: Request<GatewayBody>| async {
        Ok::<_, BoxError>(Response::new(Content::from("x".repeat(100_000))))
    });
    let layer = layer().idle_timeout(Timeout::new(10 * SECOND, TokioTimer));
    let response = asking(layer, target).oneshot(get("https://example.com/")).await.unwrap();
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = next(&mut body).await {
        length += frame.unwrap().into_data().unwrap().len();
        tokio::time::sleep(60 * SECOND).await;
    }
    assert_eq!(length, 100_000);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_goes_on_is_not_timed_out() {
    let layer = layer().idle_timeout(Timeout::new(10 * SECOND, TokioTimer));
    let (feed, body) = fed();
    let asking = tokio::spawn(asking(layer, service_fn(collected)).oneshot(post(body)));
    for _ in 0..5 {
        tokio::time::sleep(9 * SECOND).await;
        feed.send(data("x")).await.unwrap();
    }
    drop(feed);
    assert_eq!(whole(asking.await.unwrap().unwrap()).await.body().data, "xxxxx");
}

/// Also while the answer has begun and is waited for.
#[tokio::test(start_paused = true)]
async fn an_upload_that_goes_on_keeps_an_early_answer_waiting() {
    let layer = layer().idle_timeout(Timeout::new(10 * SECOND, TokioTimer));
    let target = service_fn(|request: Request<GatewayBody>| async {
        let rest = stream::once(async {
            let collected = collect(request.into_body(), 1 << 20).await?;
            Ok::<_, BoxError>(Frame::data(collected.data))
        });
        Ok::<_, BoxError>(Response::new(StreamBody::new(Box::pin(rest))))
    });
    let (feed, body) = fed();
    let mut answer = asking(layer, target).oneshot(post(body)).await.unwrap().into_body();
    let feeding = tokio::spawn(async move {
        for _ in 0..5 {
            tokio::time::sleep(9 * SECOND).await;
            feed.send(data("x")).await.unwrap();
        }
    });
    assert_eq!(next_text(&mut answer).await, "xxxxx");
    feeding.await.unwrap();
}

/// RFC 9292 §3.5.1: whoever says that it takes a while is not standing still.
#[tokio::test(start_paused = true)]
async fn informational_responses_are_progress() {
    let target = service_fn(|request: Request<GatewayBody>| async move {
        let early = request.extensions().get::<InformationalSender>().unwrap();
        for _ in 0..5 {
            tokio::time::sleep(9 * SECOND).await;
            early.send(Response::builder().status(102).body(()).unwrap());
        }
        tokio::time::sleep(9 * SECOND).await;
        Ok::<_, BoxError>(Response::new(Content::from("done")))
    });
    let layer = layer().idle_timeout(Timeout::new(10 * SECOND, TokioTimer));
    let response = asking(layer, target).oneshot(get("https://example.com/")).await.unwrap();
    assert_eq!(response.extensions().get::<Informational>().unwrap().0.len(), 5);
    assert_eq!(whole(response).await.body().data, "done");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_stands_still_is_a_time_out() {
    for (layer, limit) in [
        (layer().idle_timeout(Timeout::new(10 * SECOND, TokioTimer)), 10),
        (layer().timeout(Timeout::new(7 * SECOND, TokioTimer)), 7),
    ] {
        let (_feed, body) = fed();
        let start = tokio::time::Instant::now();
        let error = asking(layer, service_fn(collected)).oneshot(post(body)).await.unwrap_err();
        assert!(matches!(error, ClientError::TimedOut), "{error:?}");
        // The first frame, with the header, counts as one that goes out.
        assert!(start.elapsed().as_secs() <= 2 * limit, "{:?}", start.elapsed());
    }
}
