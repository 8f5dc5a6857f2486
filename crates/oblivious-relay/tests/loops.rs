//! A relay knows its own requests again.

mod common;

use common::{fields, relay_answering, request, response, send};
use http::{HeaderValue, Version};
use oblivious_service::Pseudonym;

/// RFC 9458 §6.2, RFC 9110 §7.6.3: what this relay has sent before goes no further.
#[tokio::test]
async fn a_request_that_comes_back_is_a_508() {
    let (relay, seen) = relay_answering(response);
    assert_eq!(send(&relay, request()).await.status(), 200);
    let own = seen.lock().unwrap()[0].headers()["via"].clone();
    for via in [own.clone(), HeaderValue::from_bytes(&own.as_bytes().to_ascii_uppercase()).unwrap()]
    {
        let mut back = request();
        back.headers_mut().append("via", HeaderValue::from_static("1.0 fred (a, b)"));
        back.headers_mut().append("via", via);
        let answer = send(&relay.clone(), back).await;
        assert_eq!(answer.status(), 508);
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    // What another relay sent is not its own, and of its pseudonym nothing goes on.
    let (other, seen_by_other) = relay_answering(response);
    let mut from_other = request();
    from_other.headers_mut().append("via", own.clone());
    assert_eq!(send(&other, from_other).await.status(), 200);
    assert_ne!(seen_by_other.lock().unwrap()[0].headers()["via"], own);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

/// RFC 9458 §6.2.1: the field is the same for all clients, whatever they speak and send.
#[tokio::test]
async fn the_pseudonym_tells_nothing_of_a_client() {
    let (relay, seen) = relay_answering(response);
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        for via in ["", "1.1 one", "1.0 a, 2 b"] {
            let mut request = request();
            *request.version_mut() = version;
            request.headers_mut().append("via", HeaderValue::from_static(via));
            assert_eq!(send(&relay.clone(), request).await.status(), 200);
        }
    }
    let seen = seen.lock().unwrap();
    let first = fields(seen[0].headers());
    assert_eq!(first.iter().filter(|(name, _)| *name == "via").count(), 1);
    assert_eq!(seen.len(), 9);
    assert!(seen.iter().all(|got| fields(got.headers()) == first));
}

/// Whichever replica a request comes back to.
#[tokio::test]
async fn replicas_with_one_pseudonym_find_each_other_s_loops() {
    let (one, seen) = relay_answering(response);
    assert_eq!(
        send(&one.pseudonym(Pseudonym::new("both").unwrap()), request()).await.status(),
        200
    );
    let sent = seen.lock().unwrap()[0].headers().clone();
    for (name, status) in [("both", 508), ("BOTH", 508), ("another", 200)] {
        let (other, _) = relay_answering(response);
        let mut back = request();
        *back.headers_mut() = sent.clone();
        assert_eq!(
            send(&other.pseudonym(Pseudonym::new(name).unwrap()), back).await.status(),
            status,
            "{name}"
        );
    }
}
