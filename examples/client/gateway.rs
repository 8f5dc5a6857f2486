//! The gateway: the relay that leads to it, its keys, and how messages are sealed.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use examples::error_report::Hint;
use examples::provider::ProviderName;
use http::{HeaderName, HeaderValue, Uri};
use oblivious_http::bhttp::Padding;
use oblivious_http::client::{
    Agreement, ClientLayer, Gateway, GatewayError, KeyCache, KeyCacheBuilder, KeyDigest, KeyFile,
    KeySource, PinnedKeys, TargetPattern,
};
use oblivious_http::service::TokioTimer;

use crate::connections::ConnectionArgs;
use crate::failure::Failure;
use crate::key_sources::FetchArgs;
use crate::request::headers::parse_field;
use crate::trace::{Trace, TracedKeys};

#[derive(clap::Args)]
#[command(next_help_heading = "Relay and gateway")]
pub(crate) struct GatewayArgs {
    /// The relay's URL for the gateway.
    #[arg(long, value_name = "URL", required = true, env = "CLIENT_RELAY", hide_env = true)]
    relay: Option<Uri>,

    /// Where the gateway's key configurations are: a file, or an https URL of the gateway. Repeat
    /// it for sources that must agree before anything is sent. The relay alone is not enough: it
    /// could substitute its own key and read everything.
    #[arg(long, value_name = "FILE|URL", env = "CLIENT_KEYS", hide_env = true)]
    keys: Vec<String>,

    /// How many of the sources of keys must agree; by default all.
    #[arg(long, value_name = "COUNT")]
    agree: Option<usize>,

    /// The SHA-256 digest that the keys must have, in hexadecimal, as `keys show` prints it. Repeat
    /// it for the next keys.
    #[arg(long, value_name = "DIGEST", env = "CLIENT_PIN", hide_env = true)]
    pin: Vec<KeyDigest>,

    /// Keep the keys in this file from one run to the next, as long as they are fresh.
    #[arg(long, value_name = "FILE", env = "CLIENT_KEY_CACHE", hide_env = true)]
    key_cache: Option<PathBuf>,

    /// Send and receive in chunks, so that both messages stream. Relay and gateway see when each
    /// part comes, and how long it is.
    #[arg(long, env = "CLIENT_CHUNKED", hide_env = true,
        value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) chunked: bool,

    /// Pad requests to a multiple of BYTES, to hide their length from relay and gateway.
    #[arg(long, value_name = "BYTES", env = "CLIENT_PAD", hide_env = true)]
    pad: Option<usize>,

    /// Send no Date inside. A gateway that guards against replay may refuse such requests.
    #[arg(long)]
    no_date: bool,

    /// A header field for the relay, as 'name: value'. It must be the same for all users.
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_field)]
    relay_header: Vec<(HeaderName, HeaderValue)>,

    /// The source of cryptographic primitives.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "fastest",
        env = "CLIENT_PROVIDER",
        hide_env = true
    )]
    provider: ProviderName,

    #[command(flatten)]
    fetch: FetchArgs,
}

impl GatewayArgs {
    /// A client that reaches the gateway through the relay.
    pub(crate) fn layer(
        &self,
        connections: &ConnectionArgs,
        trace: &Arc<Trace>,
    ) -> anyhow::Result<ClientLayer> {
        let relay = self.relay.clone().context("--relay is missing")?;
        let keys = self.keys(connections, trace)?;
        let gateway = match connections.allow_http {
            true => Gateway::allowing_http(relay, keys),
            false => Gateway::new(relay, keys),
        };
        let mut gateway = gateway.map_err(explain)?.allow(TargetPattern::any_https());
        if connections.allow_http {
            gateway = gateway.allow(TargetPattern::any_http());
        }
        let mut layer = ClientLayer::new(gateway);
        for (name, value) in self.relay_header.iter().cloned() {
            layer = layer.outer_field(name, value)?;
        }
        if let Some(bytes) = self.pad {
            layer = layer.pad_requests(Padding::ToMultiple(bytes));
        }
        if self.no_date {
            layer = layer.without_date();
        }
        Ok(if self.chunked { layer.in_chunks() } else { layer })
    }

    /// Removes stored keys that a gateway has refused, so that the next run fetches others.
    pub(crate) fn forget_keys(&self) {
        if let Some(path) = &self.key_cache {
            // A file that does not exist need not be removed.
            let _ = std::fs::remove_file(path);
        }
    }

    fn keys(&self, connections: &ConnectionArgs, trace: &Arc<Trace>) -> anyhow::Result<KeyCache> {
        let sources = self.fetch.sources(&self.keys, connections)?;
        let traced = |source| Box::new(TracedKeys::new(source, trace)) as Box<dyn KeySource>;
        let mut sources: Vec<_> = sources.into_iter().map(traced).collect();
        let source: Box<dyn KeySource> = match (sources.len(), self.agree) {
            (0, _) => {
                let missing = "the gateway's keys are missing: name a file or an https URL with \
                               --keys, or have them discovered with --discover";
                return Err(Failure::Usage(missing.into()).into());
            }
            (1, None | Some(1)) => sources.remove(0),
            (count, required) => {
                let agreement = Agreement::of(required.unwrap_or(count), sources);
                Box::new(agreement.map_err(|error| Failure::Usage(error.to_string()))?)
            }
        };
        let builder = match self.pin.split_first() {
            Some((&first, next)) => {
                let pinned = PinnedKeys::new(source, first);
                let pinned = next.iter().fold(pinned, |pinned, &digest| pinned.or(digest));
                KeyCacheBuilder::new(pinned, TokioTimer)
            }
            None => KeyCacheBuilder::new(source, TokioTimer),
        };
        let builder = builder.provider(self.provider.provider()?);
        // Keys that anybody on the way could have put in are not for later runs.
        let is_trusted = !connections.is_insecure();
        let builder = match self.key_cache.as_ref().filter(|_| is_trusted) {
            Some(path) => builder.store(KeyFile::new(path)),
            None => builder,
        };
        Ok(builder.build())
    }
}

/// Says what to type where the library says what to call.
fn explain(error: GatewayError) -> anyhow::Error {
    let (message, hint) = match &error {
        GatewayError::Scheme { relay } => (
            format!("the relay {relay} is not https, so others on the path could impersonate it"),
            "write https://, or allow it for a test with --allow-http",
        ),
        GatewayError::KeysOfRelay { relay } => (
            format!(
                "the keys come only from the relay {relay}, which could substitute its own and read \
                 everything"
            ),
            "name the gateway's own keys with --keys, another source besides the relay, or the \
             digest of the keys with --pin",
        ),
        _ => return Failure::Usage(error.to_string()).into(),
    };
    anyhow::Error::from(Failure::Usage(message)).context(Hint(hint))
}
