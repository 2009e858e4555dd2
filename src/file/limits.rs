//! The most that a file may ask for: one table, looked at before memory is taken.
//!
//! Files come from elsewhere, and a hundred bytes can claim a panel of 40 x 2^31 pixels. What a file
//! says of sizes is multiplied here, without wrapping, and compared with this table before anything
//! is made of it. `docs/files.md` shows the table to users.

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted, in the plural.
    pub what: &'static str,
    /// How many there may be.
    pub most: u64,
}

/// Bytes of any file that is read whole.
pub const FILE: Limit = Limit { what: "bytes", most: 1 << 32 };

/// Bytes that a packed file may unpack to, beyond [`PACKING`] times its own size.
pub const UNPACKED: Limit = Limit { what: "unpacked bytes", most: 1 << 26 };

/// How many times its own size a packed file may unpack to without question: noise packs to itself,
/// digits to a fifth, an empty picture to a thousandth.
pub const PACKING: u64 = 100;

/// Bytes of the header of an `.npy` file, as numpy itself has it.
pub const HEADER: Limit = Limit { what: "bytes of header", most: 10_000 };

/// Pixels of a panel or a picture: 8192 x 8192.
pub const PIXELS: Limit = Limit { what: "pixels", most: 1 << 26 };

/// Pixels of an image of a data set, before it is resized: 4096 x 4096.
pub const IMAGE: Limit = Limit { what: "pixels", most: 1 << 24 };

/// Numbers of a matrix or of a data set: 4 GiB of double precision.
pub const NUMBERS: Limit = Limit { what: "numbers", most: 1 << 29 };

/// Runs of a study.
pub const RUNS: Limit = Limit { what: "runs", most: 1_000_000 };

/// Bytes of a file of a set that is fetched; the largest of those known has 26 million.
pub const FETCHED: Limit = Limit { what: "bytes", most: 1 << 27 };

impl Limit {
    /// The product of `lengths`, if it is within the limit.
    ///
    /// # Errors
    /// When it is not, or wraps: what was asked for and what is the most.
    pub fn product(self, lengths: &[usize]) -> Result<usize, String> {
        let product =
            lengths.iter().try_fold(1usize, |product, &length| product.checked_mul(length));
        match product.filter(|&product| product as u64 <= self.most) {
            Some(product) => Ok(product),
            None => {
                let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
                Err(self.exceeded(&lengths.join(" x ")))
            }
        }
    }

    /// `count`, if it is within the limit.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(self, count: u64) -> Result<u64, String> {
        if count <= self.most { Ok(count) } else { Err(self.exceeded(&count.to_string())) }
    }

    fn exceeded(self, asked: &str) -> String {
        format!("{asked} {}: expected at most {}", self.what, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_that_wrap_are_beyond_every_limit() {
        assert_eq!(PIXELS.product(&[8192, 8192]), Ok(1 << 26));
        assert_eq!(PIXELS.product(&[0, usize::MAX]), Ok(0));
        // 2^33 x 2^33 wraps to 4 in 64 bits.
        let wraps = NUMBERS.product(&[1 << 33, 1 << 33]).unwrap_err();
        assert_eq!(wraps, "8589934592 x 8589934592 numbers: expected at most 536870912");
        assert!(PIXELS.product(&[8192, 8193]).is_err() && FILE.check(1 << 33).is_err());
    }
}
