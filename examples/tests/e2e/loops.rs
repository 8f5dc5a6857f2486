//! A relay whose route leads back to itself.

use http::{Request, header};
use oblivious_http::service::FullBody;

use crate::operate::free_port;
use crate::programs::Server;
use crate::recorder::Recorder;
use crate::setup::send;

fn outer(relay: &Server) -> Request<FullBody> {
    Request::post(relay.url("/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(FullBody::from("8 bytes."))
        .unwrap()
}

/// RFC 9110 §7.6.3: a request comes back once, however many there are, and not without end.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_its_own_gateway_answers_508() {
    const REQUESTS: usize = 200;
    let address = format!("127.0.0.1:{}", free_port());
    let way_back = Recorder::start(&address).await;
    let gateway = format!("http://{}/gateway", way_back.address);
    let arguments = ["--listen", &address, "--gateway", &gateway, "--allow-http-gateway"];
    let relay = Server::start("relay", &arguments);

    assert_eq!(send(outer(&relay)).await.status, 508);
    #[cfg(target_os = "linux")]
    let after_one = descriptors(&relay);
    for _ in 1..REQUESTS {
        assert_eq!(send(outer(&relay)).await.status, 508);
    }
    let came_back = way_back.towards();
    let came_back = String::from_utf8_lossy(&came_back);
    assert_eq!(came_back.matches("POST /gateway HTTP/1.1").count(), REQUESTS);
    // Some that the clients have left may not be closed yet.
    #[cfg(target_os = "linux")]
    assert!(descriptors(&relay) <= after_one + 10, "{} and {after_one}", descriptors(&relay));
    relay.await_log("508");
}

/// RFC 9110 §7.6.3: by the pseudonym that the flag names, replicas find each other's loops.
#[tokio::test(flavor = "multi_thread")]
async fn relays_of_one_pseudonym_that_call_each_other_answer_508() {
    let one_address = format!("127.0.0.1:{}", free_port());
    let way_back = Recorder::start(&one_address).await;
    let to_one = format!("http://{}/gateway", way_back.address);
    let fixed = ["--allow-http-gateway", "--via", "relay.example"];
    let other = Server::start("relay", &[&fixed[..], &["--gateway", &to_one]].concat());
    let to_other = other.url("/gateway");
    let own = ["--listen", &one_address, "--gateway", &to_other];
    let one = Server::start("relay", &[&fixed[..], &own].concat());
    for relay in [&one, &other] {
        assert_eq!(send(outer(relay)).await.status, 508);
    }
    let came_back = way_back.towards();
    let came_back = String::from_utf8_lossy(&came_back);
    assert_eq!(came_back.matches("POST ").count(), 1, "{came_back}");
    assert_eq!(came_back.matches("via: 1.1 relay.example\r\n").count(), 1, "{came_back}");
}

/// How many files and sockets a process has open.
#[cfg(target_os = "linux")]
fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count()
}
