//! The TLS of connections to gateways.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Context;
use http::Uri;
use oblivious_hyper::ClientTls;
use oblivious_hyper::tls::{self, Identity, Roots};

use crate::route_settings::RouteSettings;
use crate::routes::{all, url};
use crate::settings::GatewaySettings;

/// One for all gateways, and others for those with authorities or certificates of their own. The
/// files are read anew.
pub(crate) fn client_tls(settings: &GatewaySettings) -> anyhow::Result<ClientTls> {
    let mut client_tls = ClientTls::new(tls::client_config_with_file(settings.ca.as_deref())?);
    let mut servers = HashMap::new();
    for route in all(settings) {
        let gateway = url(&route.gateway)?;
        let port = gateway.port_u16().unwrap_or(443);
        let server = (gateway.host().map(str::to_ascii_lowercase), port);
        let files = files(&route).map(|file| file.cloned());
        anyhow::ensure!(
            *servers.entry(server).or_insert_with(|| files.clone()) == files,
            "the route {} and another one have different certificates for the same server",
            route.label()
        );
        if files.iter().any(Option::is_some) {
            client_tls = own(client_tls, settings, &route, &gateway)
                .with_context(|| format!("the route {} cannot be served", route.label()))?;
        }
    }
    Ok(client_tls)
}

/// What is different for this gateway: authorities, certificate, and its key.
fn files(route: &RouteSettings) -> [Option<&PathBuf>; 3] {
    [&route.ca, &route.client_cert, &route.client_key].map(Option::as_ref)
}

/// With TLS of its own for this gateway.
fn own(
    client_tls: ClientTls,
    settings: &GatewaySettings,
    route: &RouteSettings,
    gateway: &Uri,
) -> anyhow::Result<ClientTls> {
    let [ca, client_cert, client_key] = files(route);
    let roots = match (ca, &settings.ca) {
        (Some(pinned), _) => Roots::Only(pinned),
        (None, Some(extra)) => Roots::PublicAnd(extra),
        (None, None) => Roots::Public,
    };
    // Who pins a gateway means its keys as well, wherever they are.
    let client_tls = match (ca, &route.keys) {
        (Some(_), Some(keys)) => {
            client_tls.with(&url(keys)?, tls::client_config_with(roots, None)?)
        }
        _ => client_tls,
    };
    let identity = match (client_cert, client_key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        _ => anyhow::bail!("client-cert and client-key go together"),
    };
    Ok(client_tls.with(gateway, tls::client_config_with(roots, identity)?))
}
