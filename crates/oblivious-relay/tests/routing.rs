//! Which requests go to which gateway, and what each route makes of them.

mod common;

use common::{fields, request, response, send};
use http::{HeaderValue, Request, Uri};
use oblivious_relay::{Relay, Route, Routes};
use oblivious_service::{Authorization, Live, Payload, Pseudonym};

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn to(target: &str) -> Request<common::Body> {
    let mut request = request();
    *request.uri_mut() = uri(target);
    request
}

#[tokio::test]
async fn routes_are_replaced_while_the_relay_runs() {
    let (relay, seen) = common::relay_answering(response);
    let one = |path: &str, gateway: &str| {
        let mut routes = Routes::new();
        routes.add(Route::path(path, uri(gateway)).unwrap()).unwrap();
        routes
    };
    let routes = Live::new(one("/a", "https://first.example/"));
    let relay = relay.routes(routes.clone());
    assert_eq!(send(&relay, to("/a")).await.status(), 200);
    assert_eq!(send(&relay, to("/gateway")).await.status(), 404);
    routes.replace(one("/b", "https://second.example/"));
    assert_eq!(send(&relay, to("/a")).await.status(), 404);
    assert_eq!(send(&relay, to("/b")).await.status(), 200);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].uri(), "https://first.example/");
    assert_eq!(seen[1].uri(), "https://second.example/");
}

#[tokio::test]
async fn a_host_can_have_a_gateway_of_its_own() {
    let (relay, seen) = common::relay_answering(response);
    let mut routes = Routes::new();
    routes.add(Route::host("one.example", uri("https://g.one.example/")).unwrap()).unwrap();
    routes.add(Route::path("/", uri("https://g.other.example/")).unwrap()).unwrap();
    let relay = relay.routes(routes);
    for target in ["https://one.example/any?who=me", "https://two.example/"] {
        assert_eq!(send(&relay, to(target)).await.status(), 200);
    }
    assert_eq!(send(&relay, to("https://two.example/any")).await.status(), 404);
    let mut by_field = to("/any");
    by_field.headers_mut().insert("host", HeaderValue::from_static("ONE.example:8443"));
    assert_eq!(send(&relay, by_field).await.status(), 200);
    let seen = seen.lock().unwrap();
    let gateways: Vec<_> = seen.iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(
        gateways,
        ["https://g.one.example/", "https://g.other.example/", "https://g.one.example/"]
    );
}

/// RFC 9458 §4.6: other protocols have media types of their own, which a route has to know.
#[tokio::test]
async fn a_route_can_take_other_protocols() {
    let (relay, seen) = common::relay_answering(|| {
        let mut response = response();
        let kind = HeaderValue::from_static("Message/Auction-Res; a=b");
        response.headers_mut().insert("content-type", kind);
        response
    });
    let mut routes = Routes::new();
    let payload = Payload::new("message/auction-req", "message/auction-res").unwrap();
    let auction = Route::path("/auction", uri("https://g.example/")).unwrap().payload(payload);
    routes.add(auction).unwrap();
    routes.add(Route::path("/plain", uri("https://g.example/")).unwrap()).unwrap();
    let relay = relay.routes(routes).pseudonym(Pseudonym::new("r").unwrap());
    let with_type = |target: &str, kind: &'static str| {
        let mut request = to(target);
        request.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        request
    };
    let answer = send(&relay, with_type("/auction", "message/AUCTION-req;client=7")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "message/auction-res");
    assert_eq!(
        fields(seen.lock().unwrap()[0].headers()),
        [("content-type", "message/auction-req"), ("via", "1.1 r")]
    );
    assert_eq!(send(&relay, with_type("/plain", "message/auction-req")).await.status(), 415);
    assert_eq!(send(&relay, with_type("/auction", "message/auction-res")).await.status(), 415);
    // The answer has to be one to what was asked.
    assert_eq!(send(&relay, with_type("/auction", "message/ohttp-req")).await.status(), 502);
}

#[tokio::test]
async fn a_gateway_is_shown_what_it_asks_for_and_no_other_is() {
    let (relay, seen) = common::relay_answering(response);
    let shown = Live::new(Some(HeaderValue::from_static("Bearer first-secret")));
    let source = shown.clone();
    let authorization = Authorization::from_source(move || Option::clone(&source.current()));
    let mut routes = Routes::new();
    let route = Route::path("/known", uri("https://g.example/")).unwrap();
    routes.add(route.authorization(authorization)).unwrap();
    routes.add(Route::path("/other", uri("https://h.example/")).unwrap()).unwrap();
    let relay = relay.routes(routes);
    assert!(!format!("{relay:?}").contains("secret"));

    let mut from_client = to("/known");
    let of_client = HeaderValue::from_static("Bearer of-the-client");
    from_client.headers_mut().insert("authorization", of_client.clone());
    assert_eq!(send(&relay, from_client).await.status(), 200);
    shown.replace(Some(HeaderValue::from_static("Bearer second-secret")));
    assert_eq!(send(&relay, to("/known")).await.status(), 200);
    let mut from_client = to("/other");
    from_client.headers_mut().insert("authorization", of_client);
    assert_eq!(send(&relay, from_client).await.status(), 200);
    // A gateway that will refuse what comes is not asked.
    shown.replace(None);
    assert_eq!(send(&relay, to("/known")).await.status(), 500);

    let seen = seen.lock().unwrap();
    let shown: Vec<_> = seen.iter().map(|got| got.headers().get("authorization")).collect();
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[0].unwrap(), "Bearer first-secret");
    assert_eq!(shown[1].unwrap(), "Bearer second-secret");
    assert_eq!(shown[2], None);
    assert!(!format!("{:?}", seen[0]).contains("secret"));
}

#[tokio::test]
async fn adding_a_route_leaves_the_others() {
    let (relay, _) = common::relay_answering(response);
    let relay: Relay<_> = relay.route("/second", uri("https://second.example/")).unwrap();
    assert_eq!(send(&relay, to("/gateway")).await.status(), 200);
    assert_eq!(send(&relay, to("/second")).await.status(), 200);
}
