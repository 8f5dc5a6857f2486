//! The HPKE hot path: `oblivious-hpke` beside `ohttp`, and beside the bare primitives that nothing
//! can be faster than.
//!
//! ```sh
//! cargo bench -p benches --bench hpke
//! cargo bench -p benches --bench hpke --features aws-lc,graviola
//! ```
//!
//! X25519, HKDF-SHA256 and AES-128-GCM, unless a race says otherwise.

mod chunked;
mod client;
mod derived;
mod floor;
mod gateway;
mod parties;

use std::time::Duration;

use benches::Report;
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut report = Report::default();
    gateway::exchange(&mut criterion, &mut report);
    client::exchange(&mut criterion, &mut report);
    client::precomputed(&mut criterion, &mut report);
    gateway::large(&mut criterion, &mut report);
    gateway::x_wing(&mut criterion, &mut report);
    client::x_wing(&mut criterion, &mut report);
    gateway::nist(&mut criterion, &mut report);
    // One round of these takes a good part of a second.
    let mut few = criterion.sample_size(10);
    chunked::seal(&mut few, &mut report);
    chunked::open(&mut few, &mut report);
    few.final_summary();
    print!("\n{report}");
}
