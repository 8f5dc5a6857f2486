//! Opening connections to servers.

use std::io;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::Connection;
use oblivious_service::Live;
use tokio::time::timeout;
use tower_service::Service;

use crate::client_tls::ClientTls;
use crate::connector::{Connector, Io};
use crate::http_error::HttpError;
use crate::http1_connection::Http1Connection;
use crate::http2_connection::Http2Connection;
use crate::moving_stream::Moves;
use crate::pool::{Pooled, Server};

/// Opens connections, and agrees with servers on the version of HTTP.
pub(crate) struct Connectors {
    pub(crate) tcp: Connector,
    pub(crate) tls: Live<ClientTls>,
}

impl Connectors {
    pub(crate) async fn connect(&self, server: &Server) -> Result<Pooled, HttpError> {
        let uri = Uri::builder()
            .scheme(server.scheme.clone())
            .authority(server.authority.clone())
            .path_and_query(PathAndQuery::from_static("/"))
            .build()
            .map_err(|_| HttpError::NoServer)?;
        let opened = timeout(self.tcp.connect_timeout(), self.open(uri)).await;
        let io = opened.unwrap_or_else(|_| {
            Err(HttpError::Connect(io::Error::from(io::ErrorKind::TimedOut).into()))
        })?;
        if io.connected().is_negotiated_h2() {
            return Ok(Pooled::Http2(Http2Connection::new(io).await?));
        }
        let moves = moves(&io).clone();
        Ok(Pooled::Http1(Http1Connection::new(io, host(server)?, moves)))
    }

    async fn open(&self, uri: Uri) -> Result<Io, HttpError> {
        let https = HttpsConnectorBuilder::new().with_tls_config(self.tls.current().of(&uri));
        let https = https.https_or_http();
        let needs_http1 = self.tcp.needs_http1(&uri);
        let mut connector = match needs_http1 {
            true => https.enable_http1().wrap_connector(self.tcp.clone()),
            false => https.enable_all_versions().wrap_connector(self.tcp.clone()),
        };
        connector.call(uri).await.map_err(HttpError::Connect)
    }
}

/// What is said of the moves of the TCP stream that is under it all.
fn moves(io: &Io) -> &Moves {
    let stream = match io {
        MaybeHttpsStream::Http(stream) => stream,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner(),
    };
    let tcp = match stream {
        MaybeHttpsStream::Http(tcp) => tcp,
        // The way to a proxy.
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner(),
    };
    tcp.inner().inner().moves()
}

/// RFC 9110 §7.2: without the port of the scheme.
fn host(Server { scheme, authority }: &Server) -> Result<HeaderValue, HttpError> {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16().filter(|&port| port != default) {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    };
    host.try_into().map_err(|_| HttpError::NoServer)
}
