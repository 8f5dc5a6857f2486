//! The state file of a ratchet: what it forgets, and what it survives.

mod common;

use std::{fs, path::Path};

use common::schedule::{
    GRACE, INTERVAL, MAX_AGE, START, X25519, folder, new_ratchet, opens, published, ratchet,
    request, settings,
};
use hkdf::Hkdf;
use oblivious_gateway::{KeySchedule, SecretFileError, StateError, UnixSeconds};
use oblivious_hpke::{KeyPair, Provider};
use sha2::Sha256;

/// The epoch and the root in a state file, read without the crate's help.
fn epoch_and_root(state: &[u8]) -> (u64, [u8; 32]) {
    let text = std::str::from_utf8(state).unwrap();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut root = [0; 32];
    hex::decode_to_slice(value("root "), &mut root).unwrap();
    (value("epoch ").parse().unwrap(), root)
}

fn expand<const N: usize>(prk: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::from_prk(prk).unwrap().expand(info, &mut out).unwrap();
    out
}

/// The public keys of the `count` epochs that can be derived from a root.
fn derivable(mut root: [u8; 32], count: usize) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for _ in 0..count {
        let material: [u8; 66] = expand(&root, b"key\x00\x20");
        let pair = KeyPair::derive(X25519, &material, Provider::default()).unwrap();
        keys.push(pair.public_key().to_vec());
        root = expand(&root, b"next");
    }
    keys
}

fn public_key(schedule: &KeySchedule, now: u64) -> Vec<u8> {
    published(schedule, now).configs()[0].public_key().to_vec()
}

/// RFC 9458 §6.6: forward secrecy. Everything that can be derived from all that is in the folder,
/// before and after.
#[test]
fn an_expired_key_cannot_be_derived_any_more() {
    let folder = folder("an_expired_key_cannot_be_derived_any_more");
    let state = folder.join("state");
    let schedule = new_ratchet(&state, START);
    let old = public_key(&schedule, START);
    let new = public_key(&schedule, START + INTERVAL);
    let last = START + INTERVAL + MAX_AGE + GRACE;

    schedule.keys_at(UnixSeconds(last)).unwrap();
    let (epoch, root) = epoch_and_root(&fs::read(&state).unwrap());
    assert_eq!(epoch, 100);
    assert_eq!(derivable(root, 2), [old.clone(), new.clone()], "as long as it is accepted");

    schedule.keys_at(UnixSeconds(last + 1)).unwrap();
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().eq([&state]), "nothing else lies about: {files:?}");
    let (epoch, root) = epoch_and_root(&fs::read(&state).unwrap());
    assert_eq!(epoch, 101);
    let keys = derivable(root, 600);
    assert_eq!(keys[0], new);
    assert!(!keys.contains(&old));

    // Nor does a clock that is set back bring it back.
    let keys = schedule.keys_at(UnixSeconds(START + INTERVAL)).unwrap();
    assert!(keys.ring().keys().all(|(config, _)| config.public_key() != &old[..]));
    let error = schedule.keys_at(UnixSeconds(START)).unwrap_err();
    assert!(matches!(error, StateError::FromTheFuture { seconds: INTERVAL }), "{error}");
}

#[test]
fn a_ratchet_survives_restarts() {
    let state = folder("a_ratchet_survives_restarts").join("state");
    let schedule = new_ratchet(&state, START);
    let list = published(&schedule, START);
    let sealed = request(&list, 0);
    drop(schedule);

    let schedule = ratchet(&state);
    assert!(!schedule.create_state(UnixSeconds(START)).unwrap(), "it is there already");
    assert_eq!(published(&schedule, START), list);
    let next = published(&schedule, START + INTERVAL);
    assert!(opens(
        &schedule.keys_at(UnixSeconds(START + INTERVAL)).unwrap(),
        &sealed,
        START + INTERVAL
    ));
    drop(schedule);
    assert_eq!(published(&ratchet(&state), START + INTERVAL), next);
    // After a long absence: the same key as one that was there all the time.
    let (here, there) = (state.with_extension("here"), state.with_extension("there"));
    fs::copy(&state, &here).unwrap();
    fs::copy(&state, &there).unwrap();
    let always_there = ratchet(&there);
    for epoch in 0..50 {
        published(&always_there, START + epoch * INTERVAL);
    }
    let now = START + 50 * INTERVAL;
    assert_eq!(published(&ratchet(&here), now), published(&always_there, now));
}

/// The process stops between the writing of the new file and the renaming, at any byte.
#[test]
fn a_ratchet_survives_a_crash_at_any_moment() {
    let folder = folder("a_ratchet_survives_a_crash_at_any_moment");
    let (state, temporary) = (folder.join("state"), folder.join("state.tmp"));
    let schedule = new_ratchet(&state, START);
    let list = published(&schedule, START);
    let before = fs::read(&state).unwrap();
    let later = START + 2 * INTERVAL;
    let later_list = published(&schedule, later);
    let after = fs::read(&state).unwrap();
    assert_ne!(before, after);

    for len in [0, 1, 40, after.len() - 1, after.len()] {
        write_private(&state, &before);
        write_private(&temporary, &after[..len]);
        assert_eq!(published(&ratchet(&state), START), list);
        assert!(!temporary.exists(), "a root that was left behind is removed");
        assert_eq!(fs::read(&state).unwrap(), before);

        write_private(&temporary, &after[..len]);
        assert_eq!(published(&ratchet(&state), later), later_list);
        assert!(!temporary.exists());
        assert_eq!(fs::read(&state).unwrap(), after);
    }
    // And while the first file was made.
    fs::remove_file(&state).unwrap();
    write_private(&temporary, &after[..7]);
    assert!(ratchet(&state).create_state(UnixSeconds(START)).unwrap());
    assert!(!temporary.exists());
    ratchet(&state).keys_at(UnixSeconds(START)).unwrap();
}

fn write_private(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    #[cfg(unix)]
    set_mode(path, 0o600);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let state = folder("the_file_is_for_its_owner_alone").join("state");
    let schedule = new_ratchet(&state, START);
    let mode = || fs::metadata(&state).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    schedule.keys_at(UnixSeconds(START + 9 * INTERVAL)).unwrap();
    assert_eq!(mode(), 0o600, "the replacement too");

    for open in [0o640, 0o604, 0o620, 0o601] {
        set_mode(&state, open);
        let error = schedule.keys_at(UnixSeconds(START + 9 * INTERVAL)).unwrap_err();
        assert!(matches!(error, StateError::File(SecretFileError::OpenToOthers { .. })));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    set_mode(&state, 0o400);
    schedule.keys_at(UnixSeconds(START + 9 * INTERVAL)).unwrap();
}

/// The name may be a link, as where secrets are mounted: then its target is what changes.
#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = folder("a_link_stays_a_link");
    let (state, link) = (folder.join("state"), folder.join("link"));
    new_ratchet(&state, START);
    let before = fs::read(&state).unwrap();
    std::os::unix::fs::symlink(&state, &link).unwrap();
    ratchet(&link).keys_at(UnixSeconds(START + 9 * INTERVAL)).unwrap();
    assert!(link.is_symlink());
    assert_ne!(fs::read(&state).unwrap(), before);
}

/// Nothing is lost by it: once the clock is right again the keys are there.
#[test]
fn a_clock_that_is_behind_or_absurd_destroys_nothing() {
    let state = folder("a_clock_that_is_behind_or_absurd_destroys_nothing").join("state");
    let schedule = new_ratchet(&state, START);
    let list = published(&schedule, START);
    let content = fs::read(&state).unwrap();

    let error = schedule.keys_at(UnixSeconds(START - 2 * INTERVAL)).unwrap_err();
    assert!(matches!(error, StateError::FromTheFuture { seconds: INTERVAL }), "{error}");
    let error = schedule.keys_at(UnixSeconds(0)).unwrap_err();
    assert!(error.to_string().contains("is the clock right?"), "{error}");
    // So far ahead that the epochs could not be counted off in a second.
    let error = schedule.keys_at(UnixSeconds(u64::MAX / 2)).unwrap_err();
    assert!(matches!(error, StateError::FromThePast { .. }), "{error}");
    assert_eq!(fs::read(&state).unwrap(), content);
    assert_eq!(published(&schedule, START), list);
}

#[test]
fn what_is_no_state_file_is_refused_and_left_alone() {
    let folder = folder("what_is_no_state_file_is_refused_and_left_alone");
    let state = folder.join("state");
    let schedule = ratchet(&state);
    let error = schedule.keys_at(UnixSeconds(START)).unwrap_err();
    assert!(matches!(error, StateError::Missing { .. }), "{error}");
    assert!(!state.exists(), "none is made unasked");

    for content in [&b""[..], b"oblivious-gateway ratchet 1\n", b"\xff\xfe", &[b'a'; 70_000]] {
        write_private(&state, content);
        let error = schedule.keys_at(UnixSeconds(START)).unwrap_err();
        let is_too_long = matches!(error, StateError::File(SecretFileError::TooLong { .. }));
        assert!(matches!(error, StateError::Damaged { .. }) || is_too_long, "{error}");
        assert!(!schedule.create_state(UnixSeconds(START)).unwrap());
        assert_eq!(fs::read(&state).unwrap(), content);
    }
}

/// Epochs of another length are others: the file says which it counts.
#[test]
fn the_interval_cannot_be_changed_under_a_state_file() {
    let state = folder("the_interval_cannot_be_changed_under_a_state_file").join("state");
    new_ratchet(&state, START);
    let settings = settings(&[X25519]).with_interval(std::time::Duration::from_secs(2 * INTERVAL));
    let error =
        KeySchedule::ratchet(settings, &state).unwrap().keys_at(UnixSeconds(START)).unwrap_err();
    let expected = (INTERVAL, 2 * INTERVAL);
    assert!(
        matches!(error, StateError::OtherInterval { in_file, in_settings }
            if (in_file, in_settings) == expected),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_is_an_error_and_the_file_stays() {
    let folder = folder("a_folder_that_cannot_be_written_to");
    let state = folder.join("state");
    let schedule = new_ratchet(&state, START);
    let content = fs::read(&state).unwrap();
    // Root may write everywhere, so something that is in the way of the new file.
    fs::create_dir_all(folder.join("state.tmp/in-the-way")).unwrap();
    let error = schedule.keys_at(UnixSeconds(START + 9 * INTERVAL)).unwrap_err();
    assert!(matches!(error, StateError::NotWritten { .. }), "{error}");
    assert_eq!(fs::read(&state).unwrap(), content);
}
