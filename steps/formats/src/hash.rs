//! SHA-256 and hexadecimal text, in the spellings that CEPtra's files use.
//!
//! Hashes are written `0x` + lower case by some of the released tools, bare by others; people paste
//! them in upper case. Reading accepts all three, writing gives one.

use alloc::string::String;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits, with or without `0x`, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let mut bytes = [0; 32];
        unhex_into(bare, &mut bytes).then_some(Self(bytes))
    }

    /// 64 lower-case digits without a prefix.
    pub fn bare(&self) -> String {
        hex(&self.0)
    }

    /// `0x` and 64 lower-case digits, as manifests write it.
    pub fn prefixed(&self) -> String {
        let mut text = String::with_capacity(66);
        text.push_str("0x");
        push_hex(&mut text, &self.0);
        text
    }
}

impl core::fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.prefixed())
    }
}

impl core::fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.prefixed())
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

/// The bytes that an even number of hexadecimal digits stand for, with or without `0x`.
pub fn unhex(text: &str) -> Option<alloc::vec::Vec<u8>> {
    let bare = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if !bare.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = alloc::vec![0; bare.len() / 2];
    unhex_into(bare, &mut bytes).then_some(bytes)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn unhex_into(text: &str, bytes: &mut [u8]) -> bool {
    if text.len() != bytes.len() * 2 {
        return false;
    }
    let digits = text.as_bytes().chunks_exact(2);
    for (byte, pair) in bytes.iter_mut().zip(digits) {
        let (Some(high), Some(low)) = (char::from(pair[0]).to_digit(16), char::from(pair[1]).to_digit(16)) else {
            return false;
        };
        *byte = u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte");
    }
    true
}

/// HMAC-SHA256 (RFC 2104), written out here because it is ten lines and saves a dependency.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Compares without leaving early, so that timing does not tell how much of a signature was right.
pub fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_bare_prefixed_and_in_upper_case() {
        let digest = Sha256Digest::of(b"");
        let bare = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.bare(), bare);
        for text in [bare.into(), digest.prefixed(), bare.to_uppercase(), alloc::format!("0X{}", bare.to_uppercase())] {
            assert_eq!(Sha256Digest::parse(&text), Some(digest), "{text}");
        }
        for text in ["", "0x", "e3b0", "0xzz", &bare[..63], &alloc::format!("{}é", &bare[..62])] {
            assert_eq!(Sha256Digest::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long_key = [0xaa; 131];
        let mac = hmac_sha256(&long_key, b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
