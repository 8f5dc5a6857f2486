//! Keys of services that say in the DNS that they take Oblivious HTTP (RFC 9540 §4).

use std::{fmt, future::Future, pin::Pin};

use hickory_resolver::{
    ConnectionProvider, Resolver,
    proto::rr::{
        Name, RData, RecordType,
        rdata::{
            SVCB,
            svcb::{SvcParamKey, SvcParamValue},
        },
    },
};
use http::{Uri, uri::Scheme};

use super::{Demand, Fetching, KeySource, KeySourceError, KeyUrlError, UrlKeys};

/// The parameter that says so (RFC 9540 §4), which has no value.
const OHTTP: SvcParamKey = SvcParamKey::Unknown(8);
/// The path of queries over HTTPS (RFC 9461 §5), which is read by whoever asks them.
const DOH_PATH: SvcParamKey = SvcParamKey::Unknown(7);
/// The most records that are followed from one name to another.
const MAX_ALIASES: usize = 8;

/// Keys that are only fetched if the DNS says that the service takes Oblivious HTTP: it has records
/// with the parameter `ohttp` (RFC 9540 §4). Without them fetching fails with
/// [`KeySourceError::NotOffered`], and the program can ask the service in another way.
///
/// The records are nothing but a hint. They do not say where keys are or whose they are, since
/// answers of the DNS can be forged (§8): that remains with `keys`, usually made by
/// [`UrlKeys::discover`], and with the certificate of the host in their URL. To anyone who sees the
/// DNS queries, they show which service is looked for.
///
/// The resolver is hickory's, with a runtime, servers and a cache that the program chooses.
pub struct DnsKeys<C, P: ConnectionProvider> {
    keys: UrlKeys<C>,
    resolver: Resolver<P>,
    service: Service,
}

/// Where the records of a service are, and what they must say.
struct Service {
    owner: Name,
    record_type: RecordType,
    /// The host of a DNS server, which its records must name.
    dns_server: Option<Name>,
}

impl<C, P: ConnectionProvider> DnsKeys<C, P> {
    /// Of the https service at the host and port of the keys' URL, which has HTTPS records
    /// (RFC 9540 §4.1).
    ///
    /// # Errors
    /// If the URL has an address instead of a name.
    pub fn new(keys: UrlKeys<C>, resolver: Resolver<P>) -> Result<Self, KeyUrlError> {
        let host = name_of(keys.uri())?;
        // RFC 9460 §9.1
        let owner = match (keys.uri().port_u16(), keys.uri().scheme() == Some(&Scheme::HTTP)) {
            (None | Some(443), _) | (Some(80), true) => host,
            (Some(port), _) => below(&host, &[&format!("_{port}"), "_https"], keys.uri())?,
        };
        let service = Service { owner, record_type: RecordType::HTTPS, dns_server: None };
        Ok(Self { keys, resolver, service })
    }

    /// Of the DNS server whose name is the host of the keys' URL: it has SVCB records at `_dns` and
    /// that name, which name it as their target and offer HTTP (RFC 9461 §3, RFC 9540 §4.2).
    ///
    /// # Errors
    /// If the URL has an address instead of a name.
    pub fn of_dns_server(keys: UrlKeys<C>, resolver: Resolver<P>) -> Result<Self, KeyUrlError> {
        let host = name_of(keys.uri())?;
        let owner = below(&host, &["_dns"], keys.uri())?;
        let service = Service { owner, record_type: RecordType::SVCB, dns_server: Some(host) };
        Ok(Self { keys, resolver, service })
    }

    /// Whether a record of the service offers Oblivious HTTP.
    async fn is_offered(&self) -> Result<bool, KeySourceError> {
        let Service { owner, record_type, .. } = &self.service;
        let mut owner = owner.clone();
        for _ in 0..=MAX_ALIASES {
            let found = match self.resolver.lookup(owner.clone(), *record_type).await {
                Ok(found) => found,
                Err(error) if error.is_no_records_found() => return Ok(false),
                Err(error) => {
                    let name = format!("the DNS for {owner}");
                    return Err(KeySourceError::Unreachable { name, error: error.into() });
                }
            };
            let records: Vec<_> =
                found.answers().iter().filter_map(|answer| binding(&answer.data)).collect();
            // RFC 9460 §2.4.2: the service is somewhere else, or, at the root, nowhere.
            let Some(alias) = records.iter().find(|record| record.svc_priority == 0) else {
                return Ok(records.iter().any(|record| self.service.is_offered_by(record)));
            };
            if alias.target_name.is_root() {
                return Ok(false);
            }
            owner = alias.target_name.clone();
        }
        Ok(false)
    }
}

impl Service {
    fn is_offered_by(&self, record: &SVCB) -> bool {
        let mut offers = false;
        let mut has_http = false;
        for (key, value) in &record.svc_params {
            match (key, value) {
                (&OHTTP, SvcParamValue::Unknown(value)) => offers = value.0.is_empty(),
                (_, SvcParamValue::Alpn(protocols)) => {
                    has_http =
                        protocols.0.iter().any(|it| ["h2", "h3", "http/1.1"].contains(&&**it));
                }
                // RFC 9460 §8: who does not know a parameter that is mandatory ignores the record.
                (_, SvcParamValue::Mandatory(keys)) if !keys.0.iter().all(is_known) => {
                    return false;
                }
                _ => {}
            }
        }
        // Another host would have to show that it stands for this one (RFC 9540 §4.2.1), which no
        // certificate of its own does.
        let is_named = |host: &Name| has_http && record.target_name == *host;
        offers && self.dns_server.as_ref().is_none_or(is_named)
    }
}

/// Whether nothing goes wrong for who has read a parameter, or need not read it.
fn is_known(key: &SvcParamKey) -> bool {
    use SvcParamKey::{Alpn, Ipv4Hint, Ipv6Hint, NoDefaultAlpn, Port};
    matches!(*key, Alpn | NoDefaultAlpn | Port | Ipv4Hint | Ipv6Hint | OHTTP | DOH_PATH)
}

fn binding(data: &RData) -> Option<&SVCB> {
    match data {
        RData::HTTPS(record) => Some(record),
        RData::SVCB(record) => Some(record),
        _ => None,
    }
}

/// The host of a URL, as an absolute name.
fn name_of(uri: &Uri) -> Result<Name, KeyUrlError> {
    let no_name = || KeyUrlError::NoDomainName { uri: uri.clone() };
    let host = uri.host().ok_or_else(no_name)?;
    if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
        return Err(no_name());
    }
    let mut name = Name::from_utf8(host).map_err(|_| no_name())?;
    name.set_fqdn(true);
    Ok(name)
}

/// The labels in front of a name.
fn below(host: &Name, labels: &[&str], uri: &Uri) -> Result<Name, KeyUrlError> {
    let name = labels.iter().rev().try_fold(host.clone(), |name, label| name.prepend_label(*label));
    name.map_err(|_| KeyUrlError::NoDomainName { uri: uri.clone() })
}

impl<C, P> KeySource for DnsKeys<C, P>
where
    UrlKeys<C>: KeySource,
    P: ConnectionProvider,
{
    fn name(&self) -> String {
        format!("{}, offered by the DNS", self.keys.name())
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        let offered: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(self.is_offered());
        Box::pin(async move {
            match offered.await? {
                true => self.keys.fetch(demand).await,
                false => Err(KeySourceError::NotOffered { name: self.keys.name() }),
            }
        })
    }

    fn is_independent_of(&self, relay: &Uri) -> bool {
        self.keys.is_independent_of(relay)
    }
}

impl<C, P: ConnectionProvider> fmt::Debug for DnsKeys<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsKeys").field("keys", &self.keys).finish_non_exhaustive()
    }
}
