//! The server of both programs: where it listens, its TLS, its limits, and how it shuts down.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use http::{Request, Response};
use http_body::Body;
use oblivious_http::service::{BoxError, Live};
use oblivious_hyper::server::{self, Options};
use oblivious_hyper::{ClientAddresses, RequestBody, Workers, tls};
use rustls::ServerConfig;
use serde::Serialize;
use tower_service::Service;

use crate::descriptors;
use crate::error_report::Hint;
use crate::listen::listen;
use crate::seconds::Seconds;
use crate::shutdown::Draining;

/// Settings of a server.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Server")]
pub struct ServerSettings {
    /// Address and port to listen on. Port 0 picks a free port, which is printed.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Certificate chain for HTTPS (PEM).
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Threads that answer requests. By default one for each processor.
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,

    /// Path that answers 200 while the program runs.
    #[arg(long, value_name = "PATH", default_value = "/health")]
    pub health_path: String,

    /// How long to keep accepting requests after SIGTERM while /ready already answers 503, so that
    /// load balancers and clients with idle connections notice.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(1))]
    pub lame_duck: Seconds,

    /// How long requests under way then have to finish.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(10))]
    pub drain: Seconds,
}

/// Limits on the connections of a server.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Limits")]
pub struct ConnectionLimits {
    /// Connections open at a time. Further ones have to wait.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub max_connections: usize,

    /// Requests under way at a time on one HTTP/2 connection.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_streams: u32,

    /// How long a connection may take for the head of a request, idle time included.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(30),
        value_parser = Seconds::above_zero)]
    pub head_timeout: Seconds,

    /// How long an exchange may take in total.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(3600),
        value_parser = Seconds::above_zero)]
    pub exchange_timeout: Seconds,
}

/// What a server is started with, besides its own settings.
pub struct Serving {
    /// Limits on connections.
    pub connections: ConnectionLimits,
    /// How long a client may read nothing of its answer.
    pub stall: Seconds,
    /// How the addresses of clients are learned.
    pub client_addresses: ClientAddresses,
    /// The TLS, if there is any.
    pub tls: Option<Live<ServerConfig>>,
    /// Is told when the shutdown begins.
    pub draining: Draining,
}

impl ServerSettings {
    /// The TLS to serve with, if any. Clients may show certificates of the authorities in
    /// `client_ca`.
    ///
    /// # Errors
    /// If a file cannot be used, or one is named without the other.
    pub fn tls(&self, client_ca: Option<&Path>) -> anyhow::Result<Option<ServerConfig>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some(tls::server_config(cert, key, client_ca)?)),
            (None, None) => {
                anyhow::ensure!(client_ca.is_none(), "--client-ca needs --tls-cert and --tls-key");
                Ok(None)
            }
            _ => anyhow::bail!("--tls-cert and --tls-key must be given together"),
        }
    }

    /// Serves until the program is asked to end, and then until everything has been answered or
    /// time is up.
    ///
    /// # Errors
    /// If the address cannot be listened on, or no threads can be started.
    pub async fn serve<S, B>(&self, serving: Serving, service: S) -> anyhow::Result<()>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let Serving { connections, stall, client_addresses, tls, draining } = serving;
        let workers = Workers::start(self.workers)
            .context("cannot start threads")
            .context(Hint("ask for fewer with --workers N"))?;
        descriptors::raise_limit(connections.max_connections);
        let listener = listen(&self.listen, tls.is_some()).await?;
        let options = Options {
            tls,
            client_addresses,
            head_timeout: connections.head_timeout.duration(),
            write_timeout: stall.duration(),
            drain_timeout: self.drain.duration(),
            exchange_timeout: connections.exchange_timeout.duration(),
            max_streams: connections.max_streams,
            max_connections: connections.max_connections,
            workers: Some(workers),
        };
        let service = draining.clone().announced(service);
        let end = draining.requested(self.lame_duck.duration());
        server::serve_with(listener, options, service, end).await;
        Ok(())
    }
}
