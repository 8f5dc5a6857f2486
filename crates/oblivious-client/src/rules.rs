//! What may be in a request.

use http::{HeaderMap, HeaderName, header};
use oblivious_service::{expects_continue, strip_connection_fields};

use crate::{ClientError, config::Config};

/// Checks the fields of a request, and removes those that concern a connection.
pub(crate) fn apply(config: &Config, headers: &mut HeaderMap) -> Result<(), ClientError> {
    // RFC 9458 §5.1: such a request could only wait in vain.
    if expects_continue(headers) {
        return Err(ClientError::ExpectContinue);
    }
    // If a target can link the requests of a client, one that says who it is undoes what the relay
    // protects (RFC 9458 §7).
    let present = |allowed: bool, fields: &[HeaderName]| {
        fields.iter().find(|field| !allowed && headers.contains_key(*field)).cloned()
    };
    let linkable = present(config.allow_cookies, &[header::COOKIE]).or_else(|| {
        let credentials = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION];
        present(config.allow_authorization, &credentials)
    });
    if let Some(field) = linkable {
        return Err(ClientError::Linkable { field });
    }
    strip_connection_fields(headers);
    Ok(())
}
