//! Pseudorandom bytes that follow from a seed alone, the same on every machine and in every version.

use sha2::{Digest as _, Sha256};

/// Separates this use of SHA-256 from every other, and this stream from later ones.
const DOMAIN: &[u8] = b"hostel random\0v1\0";

/// The number of bytes from one hash.
const BLOCK_BYTES: usize = 32;

/// The purpose of the bytes. Streams of one seed for different purposes are unrelated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RandomPurpose {
    /// `wasi:random/random`.
    Secure,
    /// `wasi:random/insecure`.
    Insecure,
    /// `wasi:random/insecure-seed`, for seeding hash maps.
    InsecureSeed,
}

/// The seed of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RandomSeed {
    /// A number that a user chose.
    Number(u64),
    /// The cache key of a run.
    Key([u8; 32]),
}

/// An endless stream of bytes that follows from a seed: SHA-256 in counter mode.
///
/// Block number `n`, counted from 0, is SHA-256 over, in this order:
///
/// 1. the domain `hostel random\0v1\0` (17 bytes);
/// 2. one byte for the purpose: 1 secure, 2 insecure, 3 insecure seed;
/// 3. one byte for the kind of seed: 1 for a number, 2 for a key;
/// 4. the seed in 32 bytes: a number little-endian in the first eight, with zeros after it, or the key;
/// 5. `n` in 8 bytes, little-endian.
///
/// The stream is the sequence of blocks. A number drawn from it is the next 8 bytes, little-endian. A hash costs about
/// 0.1 µs with the processor's SHA instructions, and produces 32 bytes.
#[derive(Clone, Debug)]
pub struct RandomBytes {
    seeded: Sha256,
    next_block: u64,
    block: [u8; BLOCK_BYTES],
    taken: usize,
}

impl RandomBytes {
    /// The stream from its beginning.
    pub fn new(seed: RandomSeed, purpose: RandomPurpose) -> Self {
        let purpose = match purpose {
            RandomPurpose::Secure => 1,
            RandomPurpose::Insecure => 2,
            RandomPurpose::InsecureSeed => 3,
        };
        let (kind, bytes) = match seed {
            RandomSeed::Number(number) => {
                let mut bytes = [0; 32];
                bytes.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, of_number)| *byte = of_number);
                (1, bytes)
            }
            RandomSeed::Key(key) => (2, key),
        };
        let seeded = Sha256::new().chain_update(DOMAIN).chain_update([purpose, kind]).chain_update(bytes);
        Self { seeded, next_block: 0, block: [0; BLOCK_BYTES], taken: BLOCK_BYTES }
    }

    /// Fills `bytes` with the next bytes of the stream.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.next_byte());
    }

    /// The next 8 bytes as a number.
    pub fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn next_byte(&mut self) -> u8 {
        if self.taken == BLOCK_BYTES {
            self.block = self.seeded.clone().chain_update(self.next_block.to_le_bytes()).finalize().into();
            self.next_block = self.next_block.wrapping_add(1);
            self.taken = 0;
        }
        let byte = self.block.get(self.taken).copied().unwrap_or_default();
        self.taken += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    fn block(purpose: u8, kind: u8, seed: [u8; 32], number: u64) -> [u8; 32] {
        let mut bytes = b"hostel random\0v1\0".to_vec();
        bytes.extend([purpose, kind]);
        bytes.extend(seed);
        bytes.extend(number.to_le_bytes());
        *Digest::of(&bytes).as_bytes()
    }

    #[test]
    fn the_stream_is_as_described() {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&[0x39, 0x05]);
        let mut stream = RandomBytes::new(RandomSeed::Number(1337), RandomPurpose::Secure);
        let mut bytes = [0; 70];
        let (first, rest) = bytes.split_at_mut(3);
        stream.fill(first);
        stream.fill(rest);
        let expected: Vec<u8> = (0..3).flat_map(|number| block(1, 1, seed, number)).take(70).collect();
        assert_eq!(bytes[..], expected);

        let mut stream = RandomBytes::new(RandomSeed::Key([7; 32]), RandomPurpose::InsecureSeed);
        let [a, b, c, d, e, f, g, h, ..] = block(3, 2, [7; 32], 0);
        assert_eq!(stream.next_u64(), u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }

    #[test]
    fn the_first_numbers_never_change() {
        let first = |seed, purpose| RandomBytes::new(seed, purpose).next_u64();
        assert_eq!(first(RandomSeed::Number(42), RandomPurpose::Secure), FIRST_OF_42);
    }

    /// As `printf` and `sha256sum` give it.
    const FIRST_OF_42: u64 = 5_857_656_743_155_040_095;

    #[test]
    fn seeds_and_purposes_have_nothing_in_common() {
        let mut zeros_but_one = [0; 32];
        zeros_but_one[0] = 1;
        let mut firsts = Vec::new();
        for seed in [RandomSeed::Number(0), RandomSeed::Number(1), RandomSeed::Key(zeros_but_one)] {
            for purpose in [RandomPurpose::Secure, RandomPurpose::Insecure, RandomPurpose::InsecureSeed] {
                firsts.push(RandomBytes::new(seed, purpose).next_u64());
            }
        }
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 9);
    }
}
