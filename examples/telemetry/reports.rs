//! What the devices report.

use serde::{Deserialize, Serialize};

/// A report, and who sends it: which is for this program to compare with, and in no message.
pub(crate) struct Report {
    pub(crate) device: usize,
    content: Content,
}

/// What is sent. It names nobody; were there a number of the device in it, no relay could help.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Content {
    pub(crate) version: String,
    pub(crate) screen: String,
    pub(crate) load_time_us: u32,
    pub(crate) crashed: bool,
}

const VERSIONS: [&str; 3] = ["7.2.9", "7.3", "7.4-beta"];
const SCREENS: [&str; 4] = ["search", "messages", "map", "settings"];

/// Reports in the order in which they are sent: each device has one in each round, and nobody knows
/// whose turn it is.
pub(crate) fn of_devices(devices: usize, each: usize) -> Vec<Report> {
    // No two are alike, so that it can be told which of them somebody has seen. Whole microseconds
    // are enough for that, and do not reveal who measured them.
    let mut times: Vec<u32> = (50_000..1_000_000).collect();
    fastrand::shuffle(&mut times);
    let mut reports = Vec::new();
    for _ in 0..each {
        let mut order: Vec<_> = (0..devices).collect();
        fastrand::shuffle(&mut order);
        for (device, load_time_us) in order.into_iter().zip(times.drain(..devices)) {
            reports.push(Report { device, content: Content::of_some_use(load_time_us) });
        }
    }
    reports
}

impl Report {
    /// The report as it is sent.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(&self.content).expect("strings and numbers are JSON")
    }
}

impl Content {
    fn of_some_use(load_time_us: u32) -> Self {
        let one_of = |names: &[&str]| names[fastrand::usize(..names.len())].to_owned();
        Self {
            version: one_of(&VERSIONS),
            screen: one_of(&SCREENS),
            load_time_us,
            crashed: fastrand::u8(..) < 20,
        }
    }
}
