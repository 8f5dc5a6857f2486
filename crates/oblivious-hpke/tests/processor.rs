//! The provider that not every processor can run, and the choice of the fastest.

#![cfg(feature = "graviola")]

use std::env;

use oblivious_hpke::{ProcessorError, Provider};

/// In builds for debugging, graviola takes a processor for one without an instruction if this is in
/// the environment.
const WITHOUT_AES: &str = "GRAVIOLA_CPU_DISABLE_aes";

#[test]
fn the_fastest_is_one_that_runs_here() {
    let fastest = format!("{:?}", Provider::fastest());
    match Provider::graviola() {
        Ok(graviola) => assert_eq!(fastest, format!("{graviola:?}")),
        Err(ProcessorError) if cfg!(feature = "aws-lc") => {
            assert_eq!(fastest, "Provider(aws_lc)");
        }
        Err(ProcessorError) => assert_eq!(fastest, "Provider(rust_crypto)"),
    }
    assert_eq!(env::var(WITHOUT_AES).is_ok(), Provider::graviola().is_err());
}

/// Runs the other test again, on a processor that seems to lack what graviola needs.
#[cfg(all(debug_assertions, target_arch = "x86_64"))]
#[test]
fn a_processor_without_the_instructions_is_found_out() {
    let again = std::process::Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_fastest_is_one_that_runs_here"])
        .env(WITHOUT_AES, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && output.contains("1 passed"), "{output}");
}
