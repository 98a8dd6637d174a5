//! Inputs made by chance from others.

use std::ops::Range;

use fastrand::Rng;

/// The most bytes of an input that nothing is added to any more.
const MOST_BYTES: usize = 1 << 16;

/// The most bytes that are made from nothing.
const RANDOM_BYTES: usize = 200;

/// The most changes of one input.
const CHANGES: usize = 5;

/// Bytes at which something changes: ends of ranges, of lengths, of letters.
const BYTES: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'0', b'9', b'a', b'Z', b' ', b'\n', b'"'];

/// Makes inputs. Of the same seed, inputs and words it makes the same.
pub(crate) struct Mutator {
    random: Rng,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
}

impl Mutator {
    pub(crate) fn new(seed: u64, seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> Self {
        Self { random: Rng::with_seed(seed), seeds, words }
    }

    /// Makes the next input: mostly one of the seeds with some changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = match self.random.u8(0..8) {
            0 => self.bytes(),
            1 => self.sentence(),
            _ => self.seed(),
        };
        for _ in 0..self.random.usize(1..=CHANGES) {
            self.change(&mut input);
        }
        input
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.random.usize(0..=RANDOM_BYTES);
        (0..length).map(|_| self.random.u8(..)).collect()
    }

    /// Some words after each other.
    fn sentence(&mut self) -> Vec<u8> {
        let length = self.random.usize(0..8);
        (0..length).flat_map(|_| self.word()).collect()
    }

    fn seed(&mut self) -> Vec<u8> {
        self.random.choice(&self.seeds).cloned().unwrap_or_else(|| self.bytes())
    }

    fn word(&mut self) -> Vec<u8> {
        let word = self.random.choice(self.words).map(|word| word.as_bytes().to_vec());
        word.unwrap_or_else(|| vec![self.byte()])
    }

    fn byte(&mut self) -> u8 {
        if self.random.bool() { self.random.u8(..) } else { self.random.choice(BYTES).unwrap_or_default() }
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let place = self.random.usize(0..=input.len());
        let range = self.range(input);
        match self.random.u8(0..9) {
            0 => {
                let bit = 1 << self.random.u8(0..8);
                input.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = self.byte();
                input.iter_mut().skip(place).take(1).for_each(|old| *old = byte);
            }
            2 => drop(input.drain(range)),
            3 => input.truncate(place),
            _ if input.len() > MOST_BYTES => {}
            4 => input.insert(place, self.byte()),
            5 => {
                let again = input[range].to_vec();
                input.splice(place..place, again);
            }
            6 => {
                let other = self.seed();
                let part = self.range(&other);
                input.splice(place..place, other[part].iter().copied());
            }
            7 => {
                let word = self.word();
                input.splice(range, word);
            }
            _ => {
                let word = self.word();
                input.splice(place..place, word);
            }
        }
    }

    /// Some bytes of an input, mostly few.
    fn range(&mut self, input: &[u8]) -> Range<usize> {
        let start = self.random.usize(0..=input.len());
        let most = input.len() - start;
        let most = if self.random.u8(0..4) == 0 { most } else { most.min(8) };
        start..start + self.random.usize(0..=most)
    }
}
