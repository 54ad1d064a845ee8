//! Random strings of the shapes the broker hands out. The bytes come from version 4 UUIDs.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// An opaque identifier: 32 hexadecimal digits.
pub(crate) fn identifier() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Six decimal digits, as an SMS carries them.
pub(crate) fn six_digits() -> String {
    format!("{:06}", Uuid::new_v4().as_u128() % 1_000_000)
}

/// Six letters and digits, as an authorization code has them.
pub(crate) fn code() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rest = Uuid::new_v4().as_u128() >> 64;
    let mut code = String::with_capacity(6);
    for _ in 0..6 {
        let index = usize::try_from(rest % 36).unwrap_or(0);
        code.push(char::from(ALPHABET[index]));
        rest /= 36;
    }
    code
}

/// 64 bytes as base64url without padding: the place of a JWT's signature.
pub(crate) fn signature() -> String {
    let bytes: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}
