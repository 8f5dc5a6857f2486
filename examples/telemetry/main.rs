//! Telemetry that says how an app is doing, but nothing about any one user: many devices report to
//! a collector, once directly and once through Oblivious HTTP, all on this machine. Who could link
//! what is counted from what each party really saw.
//!
//! ```sh
//! cargo run --release --example telemetry -- --devices 100
//! ```
//!
//! Ends with exit code 0, or with 1 if any party could link what it must not.

mod linking;
mod parties;
mod picture;
mod reports;

use std::process::ExitCode;

use clap::Parser;
use examples::error_report;
use examples::logging::{self, LogFormat};

use crate::linking::{Party, Sent, Tally, tally};
use crate::parties::{Collector, Devices, Gateway, Relay};
use crate::picture::{Finding, Row};
use crate::reports::Report;

/// Sends reports of many devices to a collector, directly and through Oblivious HTTP, and shows who
/// could link what.
#[derive(Parser)]
#[command(name = "telemetry", version)]
struct Args {
    /// How many devices there are.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(2..=1000))]
    devices: u16,

    /// How many reports each of them sends.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=100))]
    reports: u16,
}

// On one thread relay and gateway have one connection each to where they send. With one for each
// thread, and fewer devices than threads, a connection could be one device's alone.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => error_report::report(Err(error)),
    }
}

/// Returns whether nobody could link what nobody should be able to.
async fn run(args: &Args) -> anyhow::Result<bool> {
    logging::init(LogFormat::Text, "warn");
    let (devices, reports) = (usize::from(args.devices), usize::from(args.reports));
    let collector = Collector::start().await?;
    let gateway = Gateway::start(&collector).await?;
    let relay = Relay::start(&gateway).await?;
    picture::introduction(devices, reports);

    // The same reports twice, each time by devices with connections of their own.
    let reports = reports::of_devices(devices, reports);
    let direct = Devices::new(devices, &relay, &gateway, &collector)?;
    let mut directly = Vec::new();
    for report in &reports {
        direct.send_directly(report, &collector).await?;
        directly.push(Sent { report, at: vec![(Party::Collector, collector.witness.take())] });
    }
    let oblivious = Devices::new(devices, &relay, &gateway, &collector)?;
    let mut obliviously = Vec::new();
    for report in &reports {
        oblivious.send_obliviously(report, &collector).await?;
        let mut at_gateway = gateway.witness.take();
        at_gateway.extend(gateway.inside.take());
        let at = vec![
            (Party::Relay, relay.witness.take()),
            (Party::Gateway, at_gateway),
            (Party::Collector, collector.witness.take()),
        ];
        obliviously.push(Sent { report, at });
    }

    let [relay, gateway, collector] = [Party::Relay, Party::Gateway, Party::Collector];
    let row = |name, sent, parties: &[Party]| Row { name, tally: tally(sent, parties) };
    let table = [
        row("collector, directly", &directly, &[collector]),
        row("relay", &obliviously, &[relay]),
        row("gateway", &obliviously, &[gateway]),
        row("collector", &obliviously, &[collector]),
        row("gateway and collector", &obliviously, &[gateway, collector]),
        row("relay and gateway", &obliviously, &[relay, gateway]),
    ];
    picture::table(&table);
    picture::summary(&linking::received(&obliviously));
    let findings = findings(&reports, devices, &obliviously, &table.map(|row| row.tally));
    Ok(picture::findings(&findings))
}

/// What must be so, and whether it is.
fn findings(
    reports: &[Report],
    devices: usize,
    sent: &[Sent<'_>],
    [directly, relay, gateway, collector, target_side, colluding]: &[Tally; 6],
) -> Vec<Finding> {
    let all = reports.len();
    let everything = Tally { devices, reports: all, tied: all, together: all };
    let who = Tally { devices, reports: 0, tied: 0, together: 0 };
    let what = Tally { devices: 0, reports: all, tied: 0, together: 0 };
    let mut expected: Vec<_> = reports.iter().map(Report::text).collect();
    let mut received = linking::received(sent);
    expected.sort();
    received.sort();
    let lengths = linking::sealed_lengths(sent);
    vec![
        Finding::new("every report arrived, unchanged and once", received == expected),
        Finding::new("sent directly, each could be tied to its device", *directly == everything),
        Finding::new("the relay saw every device and read no report", *relay == who),
        Finding::new(
            "gateway and collector read every report and met no device, not even together",
            [gateway, collector, target_side].iter().all(|tally| **tally == what),
        ),
        Finding::new("all reports looked equally long to the relay", lengths.len() == 1),
        Finding::new(
            "relay and gateway together could link everything, so nobody may run both",
            *colluding == everything,
        ),
    ]
}
