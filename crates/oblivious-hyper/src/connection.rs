//! Opening connections to servers.

use std::io;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::TokioIo;
use oblivious_service::Live;
use tokio::time::timeout;
use tower::ServiceExt;
use tower_service::Service;

use crate::client_tls::ClientTls;
use crate::connector::Connector;
use crate::http_error::HttpError;
use crate::http1_connection::Http1Connection;
use crate::http2_connection::Http2Connection;
use crate::moving_stream::{Io, MovingStream};
use crate::pool::{Pooled, Server};

/// How long it may take to open a connection, from the look-up of the name to the end of the TLS
/// handshake.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Opens connections, and agrees with servers on the version of HTTP.
pub(crate) struct Connectors {
    pub(crate) tcp: Connector,
    pub(crate) tls: Live<ClientTls>,
}

impl Connectors {
    pub(crate) async fn connect(&self, server: &Server) -> Result<Pooled, HttpError> {
        let uri = Uri::builder()
            .scheme(server.0.clone())
            .authority(server.1.clone())
            .path_and_query(PathAndQuery::from_static("/"))
            .build()
            .map_err(|_| HttpError::NoServer)?;
        let opened = timeout(CONNECT_LIMIT, self.open(uri)).await;
        let io = opened.unwrap_or_else(|_| {
            Err(HttpError::Connect(io::Error::from(io::ErrorKind::TimedOut).into()))
        })?;
        if io.connected().is_negotiated_h2() {
            return Ok(Pooled::Http2(Http2Connection::new(io).await?));
        }
        let moves = match &io {
            MaybeHttpsStream::Http(tcp) => tcp.inner(),
            MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().inner(),
        };
        let moves = moves.moves().clone();
        Ok(Pooled::Http1(Http1Connection::new(io, host(server)?, moves).await?))
    }

    async fn open(&self, uri: Uri) -> Result<Io, HttpError> {
        let https = HttpsConnectorBuilder::new().with_tls_config(self.tls.current().of(&uri));
        let https = https.https_or_http();
        let needs_http1 = self.tcp.needs_http1(&uri);
        let tcp = self.tcp.clone();
        let tcp = tcp.map_response(|io| TokioIo::new(MovingStream::new(io.into_inner())));
        let mut connector = match needs_http1 {
            true => https.enable_http1().wrap_connector(tcp),
            false => https.enable_all_versions().wrap_connector(tcp),
        };
        connector.call(uri).await.map_err(HttpError::Connect)
    }
}

/// RFC 9110 §7.2: without the port of the scheme.
fn host((scheme, authority): &Server) -> Result<HeaderValue, HttpError> {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16().filter(|&port| port != default) {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    };
    host.try_into().map_err(|_| HttpError::NoServer)
}
