//! What a party can conclude from what it saw: which devices there are, what they report, what
//! belongs to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use examples::witness::Message;
use http::header::CONTENT_LENGTH;

use crate::reports::Report;

/// Who sees something of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Relay,
    Gateway,
    Collector,
}

/// A report, and what each party got to see because of it.
pub(crate) struct Sent<'a> {
    pub(crate) report: &'a Report,
    pub(crate) at: Vec<(Party, Vec<Message>)>,
}

/// How much somebody could find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Devices whose address was seen.
    pub(crate) devices: usize,
    /// Reports that were readable.
    pub(crate) reports: usize,
    /// Readable reports that came with the address of the device.
    pub(crate) tied: usize,
    /// Readable reports of which it is known that another one is of the same device.
    pub(crate) together: usize,
}

/// What these parties find out if they pool what they saw.
///
/// They know which of their messages belong together: what one passed on is what the other got.
pub(crate) fn tally(sent: &[Sent<'_>], parties: &[Party]) -> Tally {
    let views: Vec<_> = sent.iter().map(|sent| View::of(sent, parties)).collect();
    let with_address = || views.iter().filter(|view| view.shows_device);
    let devices: BTreeSet<_> = with_address().map(|view| view.device).collect();
    let of_one_device = marks_of_one_device(&views);
    let together = |view: &&View| !view.marks.is_disjoint(&of_one_device);
    let readable = || views.iter().filter(|view| view.readable);
    Tally {
        devices: devices.len(),
        reports: readable().count(),
        tied: with_address().filter(|view| view.readable).count(),
        together: readable().filter(together).count(),
    }
}

/// The address of the device: where the first that got to see something of the report got it from.
fn address(sent: &Sent<'_>) -> Option<SocketAddr> {
    sent.at.first()?.1.first()?.from
}

/// What some parties saw because of one report.
struct View {
    /// Whose it is, which they do not know.
    device: usize,
    /// Whether the device's address is where something came from, or in something.
    shows_device: bool,
    /// Whether the report is in there as it was written.
    readable: bool,
    /// What could be known again: connections and fields.
    marks: BTreeSet<String>,
}

impl View {
    fn of(sent: &Sent<'_>, parties: &[Party]) -> Self {
        let seen = sent.at.iter().filter(|(party, _)| parties.contains(party));
        let messages: Vec<_> = seen.flat_map(|(_, messages)| messages).collect();
        let bytes: Vec<_> = messages.iter().flat_map(|message| message.bytes()).collect();
        let marks: BTreeSet<_> = messages.iter().flat_map(|message| marks(message)).collect();
        let shows_device = address(sent).is_some_and(|address| {
            marks.contains(&connection(address)) || contain(&bytes, address.to_string().as_bytes())
        });
        let readable = contain(&bytes, sent.report.text().as_bytes());
        Self { device: sent.report.device, shows_device, readable, marks }
    }
}

fn marks(message: &Message) -> Vec<String> {
    // The length is that of the report, which some devices have in common and some have not.
    let fields = message.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH);
    let fields = fields.map(|(name, value)| format!("{name}: {value:?}"));
    fields.chain(message.from.map(connection)).collect()
}

fn connection(from: SocketAddr) -> String {
    format!("from {from}")
}

/// Marks that are in more than one message, and in those of one device only: who sees them knows
/// that these messages belong together.
fn marks_of_one_device(views: &[View]) -> BTreeSet<String> {
    let mut found = BTreeMap::<&str, Vec<usize>>::new();
    for view in views {
        for mark in &view.marks {
            found.entry(mark).or_default().push(view.device);
        }
    }
    let of_one =
        |devices: &[usize]| devices.len() > 1 && devices.iter().all(|device| *device == devices[0]);
    let of_one = found.into_iter().filter(|(_, devices)| of_one(devices));
    of_one.map(|(mark, _)| mark.to_owned()).collect()
}

/// What the collector received, in the order in which it came.
pub(crate) fn received(sent: &[Sent<'_>]) -> Vec<String> {
    let messages = messages_at(sent, Party::Collector);
    messages.map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

/// How long the requests were that the relay saw.
pub(crate) fn sealed_lengths(sent: &[Sent<'_>]) -> BTreeSet<usize> {
    messages_at(sent, Party::Relay).map(|message| message.body.len()).collect()
}

fn messages_at<'a>(sent: &'a [Sent<'_>], party: Party) -> impl Iterator<Item = &'a Message> {
    let at = sent.iter().flat_map(|sent| &sent.at).filter(move |(at, _)| *at == party);
    at.flat_map(|(_, messages)| messages)
}

fn contain(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
