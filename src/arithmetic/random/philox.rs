//! Philox4x32: random bits as a function of a key and a counter (Salmon, Moraes, Dror & Shaw 2011,
//! doi:10.1145/2063384.2063405).
//!
//! There is no state to seed or to carry, so a short stream costs no more a number than a long one,
//! and a vector unit works out many counters side by side.

/// Seven rounds pass every statistical test that the authors know of; ten are their margin of
/// safety.
const ROUNDS: usize = 10;

/// The four words of `counter` under `key`.
#[inline(always)]
pub(super) fn words(key: u64, counter: u128) -> [u32; 4] {
    let [mut low, mut high] = [key as u32, (key >> 32) as u32];
    let mut x = [0, 1, 2, 3].map(|word| (counter >> (32 * word)) as u32);
    for _ in 0..ROUNDS {
        let (first, second) = (u64::from(x[0]) * 0xd251_1f53, u64::from(x[2]) * 0xcd9e_8d57);
        x = [
            (second >> 32) as u32 ^ x[1] ^ low,
            second as u32,
            (first >> 32) as u32 ^ x[3] ^ high,
            first as u32,
        ];
        low = low.wrapping_add(0x9e37_79b9);
        high = high.wrapping_add(0xbb67_ae85);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_authors() {
        // Random123's kat_vectors, philox4x32 with 10 rounds.
        assert_eq!(words(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            words(u64::MAX, u128::MAX),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }
}
