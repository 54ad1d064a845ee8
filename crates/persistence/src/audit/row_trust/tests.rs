//! What a process takes over of a trail that another one let count, and what it is left to find.

use chrono::DateTime;

use super::*;
use crate::audit::checkpoints::{Cause, Checkpoint};
use crate::key_files::key_source::KeySource;

const CHAIN: &[u8] = b"chain";

fn on(timeline: i64) -> Option<History> {
    Some(History {
        system: 4711,
        timeline,
    })
}

/// This process saw entry 49, and finds a trail that ends at 24. Meanwhile another process of this machine has let that one count.
fn found_shorter(history: Option<History>) -> (RowTrust, Option<Before>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vega.key");
    let key = RootKey::create(&file).unwrap();
    let checkpoints = CheckpointFile::at(&KeySource::File(file));
    let trust = RowTrust::new(&key, checkpoints.clone());
    trust.saw(49, b"seen", on(1));
    let before = trust.before();
    checkpoints
        .append(&Checkpoint {
            at: DateTime::UNIX_EPOCH,
            cause: Cause::Accepted,
            chain_id: CHAIN.to_vec(),
            entry: 25,
            value: [7; 32],
        })
        .unwrap();
    let mut standing = Standing {
        key_id: Some(key.id.0.to_vec()),
        chain_id: Some(CHAIN.to_vec()),
        last: 24,
        chain: Some(b"end".to_vec()),
        seen: None,
        entry: Some(24),
        marks: None,
        value: None,
        state: None,
        url: None,
        machine: None,
    };
    let (marks, value) = trust.sealed(&Marks::default(), (24, b"end")).unwrap();
    (standing.marks, standing.value) = (Some(marks), Some(value));
    let look = trust.compare(&standing, &before, history);
    let Ok(look) = look else { panic!("another key") };
    let accepted = trust.accepted_since(&look, &standing, &before);
    (trust, accepted)
}

#[test]
fn a_loss_that_another_process_makes_safe_at_this_moment_is_left_to_be_found() {
    let (trust, accepted) = found_shorter(on(2));
    assert!(accepted.is_none());
    assert_eq!(trust.before().entry(), 49, "what was seen is not forgotten");
    assert_eq!(trust.losses(), 0);
}

#[test]
fn a_trail_that_the_operator_let_count_is_taken_over() {
    let (trust, accepted) = found_shorter(on(1));
    assert_eq!(accepted.map(|before| before.entry()), Some(25));
    assert_eq!(trust.before().entry(), 25);
}
