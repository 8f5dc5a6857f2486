//! Fields that are for a single connection, which neither format passes on (RFC 9292 §3.6,
//! RFC 9110 §7.6.1).

use oblivious_http::bhttp::Fields;
use oblivious_wire::{connection_options, is_connection_field};

/// The fields that are left out of a message.
pub(crate) struct ConnectionFields {
    /// What the `connection` fields of the message name, in lower case.
    named: Vec<Vec<u8>>,
}

impl ConnectionFields {
    /// Those of a message that has these sections.
    pub(crate) fn of<'a>(sections: impl IntoIterator<Item = &'a Fields>) -> Self {
        let values = sections.into_iter().flat_map(|fields| fields.get_all("connection"));
        let options = values.flat_map(connection_options);
        Self { named: options.map(<[u8]>::to_ascii_lowercase).collect() }
    }

    pub(crate) fn contain(&self, name: &[u8], value: &[u8]) -> bool {
        is_connection_field(name, value) || self.named.iter().any(|named| named == name)
    }

    /// The fields of a section without them.
    pub(crate) fn strip(&self, fields: &Fields) -> anyhow::Result<Fields> {
        let kept = fields.iter().filter(|field| !self.contain(field.name, field.value));
        Ok(Fields::try_from_iter(kept.map(|field| (field.name, field.value)))?)
    }
}
