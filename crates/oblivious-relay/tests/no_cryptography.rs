//! RFC 9458 §6.2: a relay cannot decrypt. Ours has nothing to do it with.

use std::process::Command;

/// Parts of the names of crates with cryptography or TLS in them, or with the secrets for it.
const CRYPTOGRAPHY: [&str; 28] = [
    "aead",
    "aes",
    "aws-lc",
    "bhttp",
    "blake",
    "boring",
    "chacha",
    "cipher",
    "crypto",
    "curve25519",
    "dalek",
    "digest",
    "getrandom",
    "graviola",
    "hkdf",
    "hmac",
    "hpke",
    "libcrux",
    "ml-kem",
    "openssl",
    "p256",
    "poly1305",
    "rand",
    "ring",
    "rustls",
    "sha2",
    "x25519",
    "zeroize",
];

#[test]
fn the_dependency_tree_has_no_cryptography() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", env!("CARGO_PKG_NAME"), "--format", "{p}"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"oblivious-keys"), "this is no dependency tree:\n{tree}");
    for name in names {
        // "string" and "ring" are not the same.
        let words: Vec<&str> = name.split(['-', '_']).collect();
        let found = CRYPTOGRAPHY.iter().find(|part| match **part {
            "ring" | "rand" => words.contains(part),
            part => name.contains(part),
        });
        assert_eq!(found, None, "{name} in:\n{tree}");
    }
}
