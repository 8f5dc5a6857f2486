//! A relay whose route leads back to itself.

use http::{Request, header};
use oblivious_http::service::Content;

use crate::programs::Server;
use crate::recorder::Recorder;
use crate::setup::{relay_to, send};

fn outer(relay: &Server) -> Request<Content> {
    Request::post(relay.url("/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from("8 bytes."))
        .unwrap()
}

/// RFC 9110 §7.6.3: a request comes back once, however many there are, and not without end.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_its_own_gateway_answers_508() {
    const REQUESTS: usize = 200;
    let way_back = Recorder::to_come().await;
    let relay = relay_to(&format!("http://{}/gateway", way_back.address));
    way_back.stand_before(relay.address());

    assert_eq!(send(outer(&relay)).await.status, 508);
    #[cfg(target_os = "linux")]
    let after_one = relay.descriptors();
    for _ in 1..REQUESTS {
        assert_eq!(send(outer(&relay)).await.status, 508);
    }
    let came_back = way_back.towards();
    let came_back = String::from_utf8_lossy(&came_back);
    assert_eq!(came_back.matches("POST /gateway HTTP/1.1").count(), REQUESTS);
    // Some that the clients have left may not be closed yet.
    #[cfg(target_os = "linux")]
    assert!(relay.descriptors() <= after_one + 10, "{} and {after_one}", relay.descriptors());
    relay.await_log("508");
}

/// RFC 9110 §7.6.3: by the pseudonym that the flag names, replicas find each other's loops.
#[tokio::test(flavor = "multi_thread")]
async fn relays_of_one_pseudonym_that_call_each_other_answer_508() {
    let way_back = Recorder::to_come().await;
    let to_one = format!("http://{}/gateway", way_back.address);
    let fixed = ["--allow-http-gateway", "--via", "relay.example"];
    let other = Server::start("relay", &[&fixed[..], &["--gateway", &to_one]].concat());
    let to_other = other.url("/gateway");
    let one = Server::start("relay", &[&fixed[..], &["--gateway", &to_other]].concat());
    way_back.stand_before(one.address());
    for relay in [&one, &other] {
        assert_eq!(send(outer(relay)).await.status, 508);
    }
    let came_back = way_back.towards();
    let came_back = String::from_utf8_lossy(&came_back);
    assert_eq!(came_back.matches("POST ").count(), 1, "{came_back}");
    assert_eq!(came_back.matches("via: 1.1 relay.example\r\n").count(), 1, "{came_back}");
}
