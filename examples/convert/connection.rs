//! Fields that concern a connection, which neither format carries on (RFC 9292 §3.6,
//! RFC 9110 §7.6.1).

use oblivious_http::bhttp::Fields;

/// The names of the fields that stay behind.
pub(crate) struct ConnectionFields(Vec<Vec<u8>>);

impl ConnectionFields {
    /// The fields that always stay behind, and those that `connection` fields in these sections
    /// name.
    pub(crate) fn of<'a>(sections: impl IntoIterator<Item = &'a Fields>) -> Self {
        let named = sections.into_iter().flat_map(|fields| fields.get_all("connection"));
        let named = named.flat_map(|value| value.split(|&byte| byte == b','));
        Self(named.map(|name| name.trim_ascii().to_ascii_lowercase()).collect())
    }

    pub(crate) fn contain(&self, name: &[u8], value: &[u8]) -> bool {
        match name {
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => true,
            // The one thing that is said to the other end and not to the next hop.
            b"te" if value.eq_ignore_ascii_case(b"trailers") => false,
            b"te" => true,
            _ => self.0.iter().any(|named| named == name),
        }
    }

    /// The fields without those that stay behind.
    pub(crate) fn strip(&self, fields: &Fields) -> anyhow::Result<Fields> {
        let mut kept = Fields::new();
        for field in fields.iter().filter(|field| !self.contain(field.name, field.value)) {
            kept.push(field.name, field.value)?;
        }
        Ok(kept)
    }
}
