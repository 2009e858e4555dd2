//! Files that carry a check sum of themselves.
//!
//! A seal is the SHA-256 of a whole file in which the 64 digits of the seal itself are zeros: no
//! byte can change without being noticed. Whatever the format, it stands behind the first `seal`, as
//! the value of a key of that name.

use sha2::{Digest, Sha256};

use super::hexadecimal;

/// Hexadecimal digits of a seal.
const DIGITS: usize = 64;

/// A seal before there is one.
pub(crate) fn blank() -> String {
    "0".repeat(DIGITS)
}

/// Seals `content`, which holds a [`blank`] seal.
pub(crate) fn seal(content: &mut [u8]) {
    if let Some(at) = place(content) {
        let digits = hexadecimal(&Sha256::digest(&content));
        content[at..at + DIGITS].copy_from_slice(digits.as_bytes());
    }
}

/// What is wrong with the seal of `content`, if anything is.
pub(crate) fn broken(content: &[u8]) -> Option<String> {
    let Some(at) = place(content) else { return Some("its seal is missing".into()) };
    let (before, rest) = content.split_at(at);
    let (stated, after) = rest.split_at(DIGITS);
    let digest = Sha256::new().chain_update(before).chain_update(blank()).chain_update(after);
    let found = hexadecimal(&digest.finalize());
    (found.as_bytes() != stated).then(|| {
        let stated = String::from_utf8_lossy(stated);
        format!("changed: its content has SHA-256 {found}, its seal says {stated}")
    })
}

/// Where the digits begin: behind the name and what a format puts between a key and its value.
fn place(content: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"seal";
    let name = content.windows(NAME.len()).position(|window| window == NAME)?;
    let value = name + NAME.len();
    let between = content[value..].iter().take_while(|byte| b"\\\": ".contains(byte)).count();
    let digits = content.get(value + between..value + between + DIGITS)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(value + between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_under_the_seal() {
        for text in
            ["{\"seal\": \"SEAL\", \"a\": 1}", "{\"x\":\"{\\\"seal\\\":\\\"SEAL\\\"}\"}rest"]
        {
            let mut content = text.replace("SEAL", &blank()).into_bytes();
            assert!(broken(&content).unwrap().contains("its seal says 000"));
            seal(&mut content);
            assert_eq!(broken(&content), None);
            for bit in 0..8 * content.len() {
                content[bit / 8] ^= 1 << (bit % 8);
                assert!(broken(&content).is_some(), "bit {bit}");
                content[bit / 8] ^= 1 << (bit % 8);
            }
        }
        assert_eq!(broken(b"{}").unwrap(), "its seal is missing");
    }
}
