//! What the gateway serves, and where.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any_service, get, get_service, post};
use examples::seconds::Seconds;
use oblivious_http::bhttp::Padding;
use oblivious_http::gateway::{GatewayKeys, GatewayLayer, PublishKeys, ReplayGuard, TargetPolicy};
use oblivious_http::hpke::{ChunkLimits, UnixSeconds};
use oblivious_http::keys::KemId;
use oblivious_http::service::{
    Live, MediaType, Problem, Pseudonym, Timeout, TokioTimer, collect, has_content_coding,
    media_type,
};
use oblivious_hyper::{Forward, HttpClient};
use tower::Layer;

use crate::replay;
use crate::settings::{PathSettings, Settings};

/// What the settings ask for, ready to be put together.
pub(crate) struct Parts {
    pub(crate) keys: Live<GatewayKeys>,
    pub(crate) policy: TargetPolicy,
    pub(crate) guard: Option<Arc<dyn ReplayGuard>>,
    pub(crate) padding: Padding,
    pub(crate) chunks: ChunkLimits,
    pub(crate) pseudonym: Pseudonym,
    pub(crate) client_tls: rustls::ClientConfig,
}

/// The resource that clients can guess (RFC 9540 §5).
const WELL_KNOWN: &str = "/.well-known/ohttp-gateway";

/// An error if requests could not be told apart by these paths.
pub(crate) fn check_paths(settings: &Settings) -> anyhow::Result<()> {
    let PathSettings { gateway_path, keys_path, legacy_keys_path, echo, echo_path, .. } =
        &settings.paths;
    let named = [
        ("--gateway-path", Some(gateway_path)),
        ("--keys-path", Some(keys_path)),
        ("--health-path", Some(&settings.server.health_path)),
        ("--echo-path", echo.then_some(echo_path)),
        ("--legacy-keys-path", legacy_keys_path.as_ref()),
    ];
    let mut taken = vec![WELL_KNOWN];
    for (flag, path) in named {
        let Some(path) = path else { continue };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        anyhow::ensure!(
            path.starts_with('/') && path.bytes().all(plain),
            "{flag} must begin with / and have only letters, digits and -._~"
        );
        anyhow::ensure!(!taken.contains(&&**path), "{flag} is already the path of something else");
        taken.push(path);
    }
    Ok(())
}

pub(crate) fn router(settings: &Settings, parts: Parts) -> Router {
    let Settings { paths, limits, .. } = settings;
    let keys = parts.keys.clone();
    let published = PublishKeys::new(keys.clone()).max_age(settings.keys.key_max_age.duration());
    let published = if paths.extended_keys { published.extended() } else { published };
    let target = Forward::new(HttpClient::guarded(parts.policy.clone(), parts.client_tls.clone()));
    let gateway = layer(settings, parts).layer(target);
    let mut router = Router::new()
        .route(WELL_KNOWN, get_service(published.clone()).post_service(gateway.clone()))
        .route(&paths.gateway_path, any_service(gateway));
    if paths.echo {
        let (keys, limit) = (keys, limits.request_limit);
        let time = Timeout::new(limits.request_timeout.duration(), TokioTimer);
        let answer = move |request| {
            let answering = echo(keys.clone(), request, limit);
            let time = time.clone();
            async move { time.run(answering).await.map_err(|_| StatusCode::REQUEST_TIMEOUT) }
        };
        router = router.route(&paths.echo_path, post(answer));
    }
    if let Some(path) = &paths.legacy_keys_path {
        let bare = published.clone().bare(KemId::X25519_HKDF_SHA256);
        router = router.route(path, any_service(bare));
    }
    router
        .route(&paths.keys_path, any_service(published))
        .route(&settings.server.health_path, get(|| async { "ok\n" }))
}

fn layer(settings: &Settings, parts: Parts) -> GatewayLayer {
    let limits = &settings.limits;
    let timeout = |seconds: Seconds| Timeout::new(seconds.duration(), TokioTimer);
    let layer = GatewayLayer::new(parts.keys)
        .targets(parts.policy)
        .request_limit(limits.request_limit)
        .response_limit(limits.response_limit)
        .stream_limit(limits.stream_limit)
        .chunk_limits(parts.chunks)
        .allow_nesting(settings.targets.allow_nesting, parts.pseudonym)
        .concurrency_limit(limits.concurrency)
        .request_timeout(timeout(limits.request_timeout))
        .target_timeout(timeout(limits.target_timeout))
        .idle_timeout(timeout(limits.idle_timeout))
        .exchange_timeout(timeout(settings.connections.exchange_timeout))
        .pad_responses(parts.padding);
    replay::apply(layer, parts.guard, settings)
}

/// Sends the decapsulated request back as it is, encapsulated: a client sees that the keys work.
async fn echo(keys: Live<GatewayKeys>, request: Request<Body>, limit: usize) -> Response<Body> {
    if media_type(request.headers()) != Some(MediaType::OhttpRequest)
        || has_content_coding(request.headers())
    {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let Ok(content) = collect(request.into_body(), limit).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let keys = keys.current();
    let Ok((message, reply)) = keys.ring().at(UnixSeconds::now()).decapsulate(content.data.into())
    else {
        return Problem::OhttpKey.into_response().map(Body::new);
    };
    let Ok(sealed) = reply.seal(&message) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = Response::new(Body::from(sealed));
    let content_type = HeaderValue::from_static(MediaType::OhttpResponse.as_str());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}
