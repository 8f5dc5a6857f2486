//! Shows who could link what, for a reader who has never heard of Oblivious HTTP.

use std::collections::BTreeMap;

use crate::linking::Tally;
use crate::reports::Content;

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) tally: Tally,
}

/// Something that must be so, and whether it is.
pub(crate) struct Finding {
    what: &'static str,
    holds: bool,
}

impl Finding {
    pub(crate) fn new(what: &'static str, holds: bool) -> Self {
        Self { what, holds }
    }
}

pub(crate) fn introduction(devices: usize, reports: usize) {
    let last = format!("device {devices}");
    println!(
        "{devices} devices with {reports} reports each, sent to a collector: directly, and through \
         Oblivious HTTP.\n\
         \n\
         \x20   device 1     ---.\n\
         \x20   ...          ---+--->  relay  --->  gateway  --->  collector\n\
         \x20   {last:<11}  ---'    knows who     knows what    knows what\n\
         \n\
         All of them are on this machine, so that a device is an address with a port of its own."
    );
}

pub(crate) fn table(rows: &[Row]) {
    println!("\nWho could link what, counted from all that each party saw:\n");
    line(["", "devices", "reports", "reports", "reports"]);
    line(["", "met", "read", "tied to a", "known to be"]);
    line(["", "", "", "device", "of one device"]);
    for Row { name, tally } in rows {
        let [devices, reports, tied, together] =
            [tally.devices, tally.reports, tally.tied, tally.together]
                .map(|count| count.to_string());
        line([name, &devices, &reports, &tied, &together]);
    }
}

fn line([name, columns @ ..]: [&str; 5]) {
    let [a, b, c, d] = columns;
    println!("{}", format!("    {name:<22}{a:>9}{b:>9}{c:>11}{d:>15}").trim_end());
}

/// What the collector learns, which is all that it wants to know.
pub(crate) fn summary(received: &[String]) {
    let reports: Vec<Content> =
        received.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let mut screens = BTreeMap::<_, Vec<_>>::new();
    for report in &reports {
        screens.entry(&*report.screen).or_default().push(report);
    }
    println!("\nWhat the collector knows for all that, from {} reports:\n", reports.len());
    for (screen, mut of_screen) in screens {
        of_screen.sort_by_key(|report| report.load_time_us);
        let median = f64::from(of_screen[of_screen.len() / 2].load_time_us) / 1e3;
        let crashed = of_screen.iter().filter(|report| report.crashed).count();
        let count = of_screen.len();
        println!(
            "    {screen:<10} {count:>5} loaded, {median:>4.0} ms at the median, {crashed} crashed"
        );
    }
}

/// Prints what was checked. Returns whether all of it holds.
pub(crate) fn findings(findings: &[Finding]) -> bool {
    println!("\nChecked\n");
    for Finding { what, holds } in findings {
        println!("    {}  {what}", if *holds { "yes" } else { "NO " });
    }
    findings.iter().all(|finding| finding.holds)
}
