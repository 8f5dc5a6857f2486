//! Runs the committed corpora, so that what a fuzzer has once found stays found.

use std::path::Path;

/// The folder of a corpus, and what runs an input.
type Target = (&'static str, fn(&[u8]));

/// Runs every input of every target through all of them.
fn run(targets: &[Target]) {
    for (folder, _) in targets {
        let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
        let inputs: Vec<_> = std::fs::read_dir(inputs).unwrap().collect();
        assert!(!inputs.is_empty(), "{folder} has inputs");
        for input in inputs {
            let bytes = std::fs::read(input.unwrap().path()).unwrap();
            targets.iter().for_each(|(_, run)| run(&bytes));
        }
    }
}

/// These read the same format.
#[test]
fn binary_http() {
    run(&[
        ("bhttp_decode", fuzz::bhttp::decode),
        ("bhttp_split", fuzz::bhttp::split),
        ("bhttp_roundtrip", fuzz::bhttp::roundtrip),
        ("bhttp_convert", fuzz::bhttp::convert),
    ]);
}

/// These do not, and still take each other's inputs for what they may be.
#[test]
fn keys_and_encapsulation() {
    run(&[
        ("key_configs", fuzz::keys::key_configs),
        ("hpke_header", fuzz::hpke::header),
        ("hpke_chunks", fuzz::hpke::chunks),
        ("hpke_edits", fuzz::hpke::edits),
    ]);
}
