//! Which form of the key configurations a client asks for
//! (draft-schinazi-httpbis-ohttp-ext-key-config).

use http::{HeaderMap, header};
use mediatype::{MediaTypeList, ReadParams};
use oblivious_keys::{ExtendedKeyConfig, ExtendedKeyConfigList, KeyConfigList};
use oblivious_service::MediaType;

use crate::keys::GatewayKeys;

/// Whether a client asks for the form with times by name, and wants the plain one no more than
/// that (RFC 9110 §12.5.1). Whoever takes anything gets the plain one, which every client can read.
pub(crate) fn is_preferred(headers: &HeaderMap) -> bool {
    let (mut extended, mut plain) = (0.0, 0.0);
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|field| field.to_str().ok());
    for accepted in fields.flat_map(MediaTypeList::new).flatten() {
        let quality =
            accepted.get_param(mediatype::names::Q).map(|q| q.unquoted_str().into_owned());
        // What cannot be read is not wanted.
        let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        let essence = accepted.essence().to_string();
        if essence.eq_ignore_ascii_case(ExtendedKeyConfigList::MEDIA_TYPE) {
            extended = quality;
        } else if essence.eq_ignore_ascii_case(MediaType::OhttpKeys.as_str()) {
            plain = quality;
        }
    }
    extended > 0.0 && extended >= plain
}

/// The same configurations, each with the last second at which requests to it are accepted.
pub(crate) fn with_times(
    list: &KeyConfigList,
    keys: &GatewayKeys,
) -> Option<ExtendedKeyConfigList> {
    let configs = list.configs().iter().map(|config| ExtendedKeyConfig {
        expiration: keys.accepted_until(config.key_id()).map(|last| last.0),
        ..config.clone().into()
    });
    ExtendedKeyConfigList::new(configs.collect()).ok()
}
