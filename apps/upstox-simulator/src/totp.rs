//! Time-based one-time passwords (RFC 6238: SHA-1, 30 seconds, six digits), as an authenticator app shows them.
//! Written out here because a shared crate would hide a mistake shared with the tool under test.

use chrono::{DateTime, Utc};

const STEP_SECONDS: i64 = 30;

/// Whether `secret` is base32 with something in it.
pub(crate) fn is_secret(secret: &str) -> bool {
    base32(secret).is_some_and(|key| !key.is_empty())
}

/// The six digits an authenticator app shows at `at`; `None` when the secret is not base32.
pub(crate) fn code_at(secret: &str, at: DateTime<Utc>) -> Option<String> {
    let step = u64::try_from(at.timestamp().div_euclid(STEP_SECONDS)).ok()?;
    let mac = hmac_sha1(&base32(secret)?, &step.to_be_bytes());
    let start = usize::from(mac[19] & 0x0f);
    let word = u32::from_be_bytes([mac[start] & 0x7f, mac[start + 1], mac[start + 2], mac[start + 3]]);
    Some(format!("{:06}", word % 1_000_000))
}

/// Whether `code` is shown at `at`, one step before or one step after it.
pub(crate) fn accepts(secret: &str, code: &str, at: DateTime<Utc>) -> bool {
    [-1, 0, 1].iter().any(|step| {
        let moment = at + chrono::TimeDelta::seconds(step * STEP_SECONDS);
        code_at(secret, moment).as_deref() == Some(code)
    })
}

fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0_u32, 0_u32);
    for symbol in text
        .bytes()
        .filter(|symbol| !matches!(symbol, b' ' | b'-' | b'='))
    {
        let value = match symbol.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        buffer = (buffer << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&sha1(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8, text: &[u8]| sha1(&[&block.map(|byte| byte ^ pad)[..], text].concat());
    keyed(0x5c, &keyed(0x36, message))
}

fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        compress(&mut state, block);
    }
    let mut digest = [0_u8; 20];
    for (slot, word) in digest.chunks_exact_mut(4).zip(state) {
        slot.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[expect(
    clippy::many_single_char_names,
    reason = "the standard names the five words a to e"
)]
fn compress(state: &mut [u32; 5], block: &[u8]) {
    let mut words = [0_u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for index in 16..80 {
        words[index] =
            (words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (index, word) in words.into_iter().enumerate() {
        let (mixed, constant) = match index {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let next = a
            .rotate_left(5)
            .wrapping_add(mixed)
            .wrapping_add(e)
            .wrapping_add(constant)
            .wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (slot, word) in state.iter_mut().zip([a, b, c, d, e]) {
        *slot = slot.wrapping_add(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_6238_come_out() {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (2_000_000_000, "279037"),
        ] {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            assert_eq!(code_at(secret, at).as_deref(), Some(code), "at {seconds}");
            assert!(accepts(secret, code, at + chrono::TimeDelta::seconds(30)));
            assert!(!accepts(secret, code, at + chrono::TimeDelta::seconds(90)));
        }
    }

    #[test]
    fn a_secret_that_is_not_base32_is_refused() {
        assert!(!is_secret("0189"));
        assert!(!is_secret(""));
    }
}
