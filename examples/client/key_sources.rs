//! Where keys come from: files, URLs, discovery.

use std::path::Path;

use bytes::Bytes;
use examples::error_report::Hint;
use http::Uri;
#[cfg(feature = "dns")]
use oblivious_http::client::DnsKeys;
use oblivious_http::client::{
    Demand, FetchedKeys, Fetching, FixedKeys, KeySource, KeySourceError, KeyUrlError, UrlKeys,
};
use oblivious_http::keys::{KeyConfig, KeyConfigList};
use oblivious_http::service::SystemClock;
use oblivious_hyper::HttpClient;

use crate::connections::ConnectionArgs;
#[cfg(feature = "dns")]
use crate::dns::{self, DnsServer};
use crate::failure::Failure;
use crate::urls::is_url;

/// How keys are obtained, whatever is done with them.
#[derive(clap::Args)]
#[command(next_help_heading = "Keys")]
pub(crate) struct FetchArgs {
    /// Discover the keys of the gateway that serves this origin (RFC 9540), at its
    /// /.well-known/ohttp-gateway. Counts as one source.
    #[arg(long, value_name = "ORIGIN_URL")]
    pub(crate) discover: Vec<String>,

    /// Have keys discovered only if the DNS says that the origin takes Oblivious HTTP: its HTTPS
    /// records have the parameter ohttp.
    #[cfg(feature = "dns")]
    #[arg(long, requires = "discover", env = "CLIENT_DNS", hide_env = true,
        value_parser = clap::builder::BoolishValueParser::new())]
    dns: bool,

    /// Ask these DNS servers for --dns, instead of the system's.
    #[cfg(feature = "dns")]
    #[arg(long, value_name = "ADDRESS[:PORT]", value_delimiter = ',', requires = "dns")]
    dns_servers: Vec<DnsServer>,

    /// The sources have a single bare configuration, as older gateways publish it.
    #[arg(long, env = "CLIENT_BARE_KEYS", hide_env = true,
        value_parser = clap::builder::BoolishValueParser::new())]
    bare_keys: bool,

    /// Ask for the form of the keys that says until when they are valid (a draft), where a server
    /// has it.
    #[arg(long, env = "CLIENT_EXTENDED_KEYS", hide_env = true, conflicts_with = "bare_keys",
        value_parser = clap::builder::BoolishValueParser::new())]
    extended_keys: bool,

    /// Fetch the keys through this HTTP or HTTPS proxy, which hides this machine's address from the server
    /// that has them.
    #[arg(long, value_name = "http[s]://HOST:PORT", env = "CLIENT_KEYS_PROXY", hide_env = true)]
    keys_proxy: Option<Uri>,
}

impl FetchArgs {
    /// These sources, and those to be discovered.
    pub(crate) fn sources(
        &self,
        named: &[String],
        connections: &ConnectionArgs,
    ) -> anyhow::Result<Vec<Box<dyn KeySource>>> {
        let needs_network = !self.discover.is_empty() || named.iter().any(|name| is_url(name));
        let http_client = needs_network.then(|| match &self.keys_proxy {
            Some(proxy) => connections.http_client_through(proxy),
            None => connections.http_client(),
        });
        let http_client = http_client.transpose()?;
        let mut sources: Vec<Box<dyn KeySource>> = Vec::new();
        for name in named {
            sources.push(match &http_client {
                Some(http_client) if is_url(name) => {
                    Box::new(self.url(name, http_client, connections.allow_http)?)
                }
                _ => Box::new(self.file(name)?),
            });
        }
        for origin in &self.discover {
            if let Some(http_client) = &http_client {
                let source = discovery(origin, http_client, connections.allow_http)?;
                let source = self.with_form(source);
                #[cfg(feature = "dns")]
                if self.dns {
                    let offered = DnsKeys::new(source, dns::resolver(&self.dns_servers)?);
                    sources.push(Box::new(offered.map_err(explain)?));
                    continue;
                }
                sources.push(Box::new(source));
            }
        }
        Ok(sources)
    }

    fn url(
        &self,
        name: &str,
        http_client: &HttpClient,
        allow_http: bool,
    ) -> anyhow::Result<UrlKeys<HttpClient>> {
        let uri = name.parse().map_err(|_| Failure::Url(name.to_owned()))?;
        let keys = match allow_http {
            true => UrlKeys::allowing_http(uri, http_client.clone()),
            false => UrlKeys::new(uri, http_client.clone()),
        };
        Ok(self.with_form(keys.map_err(explain)?))
    }

    /// In the form that the servers publish. One run of this program has no `ETag` to send.
    fn with_form(&self, source: UrlKeys<HttpClient>) -> UrlKeys<HttpClient> {
        let source = source.without_etag();
        match (self.bare_keys, self.extended_keys) {
            (true, _) => source.bare(),
            (false, true) => source.extended(SystemClock),
            (false, false) => source,
        }
    }

    fn file(&self, name: &str) -> anyhow::Result<FileKeys> {
        let read = std::fs::read(name);
        let path = Path::new(name).to_owned();
        let content = read.map_err(|source| Failure::Read { path, source })?;
        Ok(FileKeys { name: name.to_owned(), content: content.into(), is_bare: self.bare_keys })
    }
}

fn discovery(
    origin: &str,
    http_client: &HttpClient,
    allow_http: bool,
) -> anyhow::Result<UrlKeys<HttpClient>> {
    let uri = crate::urls::target(origin)?;
    let keys = match allow_http {
        true => UrlKeys::discover_allowing_http(&uri, http_client.clone()),
        false => UrlKeys::discover(&uri, http_client.clone()),
    };
    keys.map_err(explain)
}

/// Says what to type where the library says what to call.
fn explain(error: KeyUrlError) -> anyhow::Error {
    let KeyUrlError::Scheme { uri } = &error else {
        return Failure::Usage(error.to_string()).into();
    };
    let message = format!("{uri} is not https, so anyone on the path could replace the keys");
    let hint = Hint("write https://, or allow it for a test with --allow-http");
    anyhow::Error::from(Failure::Usage(message)).context(hint)
}

/// A list in a file.
struct FileKeys {
    name: String,
    content: Bytes,
    is_bare: bool,
}

impl FileKeys {
    fn list(&self) -> Result<Bytes, KeySourceError> {
        let invalid = |error| KeySourceError::Invalid { name: self.name.clone(), error };
        if self.is_bare {
            let config = KeyConfig::decode_bare(&self.content).map_err(invalid)?;
            let other = |error| KeySourceError::Other { name: self.name.clone(), error };
            let list = KeyConfigList::new(vec![config]).map_err(|error| other(error.into()))?;
            return Ok(list.encode());
        }
        FixedKeys::new(self.content.clone()).map_err(invalid)?;
        Ok(self.content.clone())
    }
}

impl KeySource for FileKeys {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn fetch(&self, _: Demand) -> Fetching<'_> {
        let list = self.list();
        Box::pin(async { Ok(FetchedKeys { list: list?, fresh_for: None }) })
    }

    fn is_independent_of(&self, _: &Uri) -> bool {
        true
    }
}
