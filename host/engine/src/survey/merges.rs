//! The values that a function merges where branches meet, and the operators that need a certain register.
//!
//! A local that is set in one arm of an `if`, or in a block that is left from several places, has one of several values after
//! it. The compiler makes a parameter of the block that follows, for each such local, and allocates registers for all of them
//! together: in time with the square of their number. Where a value is merged again and again, it also copies the rest of the
//! list with every split, and frees no copy before the end: memory with the number of places times the number of values.
//!
//! Measured in November 2026 with wasmtime 48 on x86-64, in processor time and peak memory of a process: 24,000 values in 3,000
//! places take 1.8 s; 50,000 in 1,000 nested blocks, of 15 KiB, 3.2 s; 100,000 in 1,000 places 25 s; 11,000 in 11,000 places 1.6 s
//! and 740 MiB; straight code of 280 KiB 0.5 s and 20 MiB. How many branches lead to a place matters little.
//!
//! A shift or rotation by a number that is no constant needs its operand in one register, and `memory.grow` calls the host. A chain of
//! these, where each needs the value of the one before, is split in the same way: 10,000 `memory.grow` take 2.3 s and 150 MiB, and as
//! many rotations 1.2 to 3 s and 100 MiB. Other calls and divisions take a tenth of that.

use super::bound::Bound;

/// How much more a value costs that is merged in every place: the time for copies of the list.
const COPIED: u64 = 4;

/// How much the square of the operators that need a certain register costs: in time, as the squared values; and in memory, as one of so
/// many.
const PINNED: u64 = 10;
const PINNED_PER_HELD: u64 = 4;

/// The number of values times places that take as much memory as a byte of plain code: each takes 6.6 bytes.
const PER_BYTE: u64 = 77;

/// The values merged so far in the function that is read.
#[derive(Default)]
pub(super) struct Merges {
    /// By local: when it was last set, in any function. 0 is never.
    set: Vec<u64>,
    /// Counts what is set and opened, in all functions.
    now: u64,
    /// The open blocks of the function, which is the first.
    open: Vec<Open>,
    /// The values that are merged.
    values: u64,
    /// The places where some are.
    places: u64,
    /// The operators that need a certain register.
    pinned: u64,
}

/// A block, a loop, or one or both arms of an `if`.
struct Open {
    /// When it was opened.
    since: u64,
    /// How many locals were set in it and in no block that is still open in it. Those that had been set before such a block was
    /// opened are subtracted.
    set: u64,
    /// What is merged besides locals.
    width: u64,
    /// Whether control meets there: at the end, or at the beginning of a loop.
    is_met: bool,
}

impl Merges {
    /// Begins another function.
    pub(super) fn begin(&mut self) {
        (self.values, self.places, self.pinned) = (0, 0, 0);
        self.open.clear();
        self.open(0, false);
    }

    /// Begins a block. So many values on the stack are merged, too.
    pub(super) fn open(&mut self, width: u64, is_met: bool) {
        self.now += 1;
        self.open.push(Open { since: self.now, set: 0, width, is_met });
    }

    /// Sets a local.
    pub(super) fn set(&mut self, local: u32) {
        // A function with more is refused.
        if u64::from(local) >= Bound::Locals.allowed() {
            return;
        }
        let local = local as usize;
        if self.set.len() <= local {
            self.set.resize(local + 1, 0);
        }
        self.now += 1;
        let Some(set) = self.set.get_mut(local) else { return };
        let before = std::mem::replace(set, self.now);
        if let Some(innermost) = self.open.last_mut() {
            innermost.set = innermost.set.wrapping_add(1);
        }
        // It counts in each open block once.
        let counted = self.open.partition_point(|open| open.since <= before);
        if let Some(open) = counted.checked_sub(1).and_then(|last| self.open.get_mut(last)) {
            open.set = open.set.wrapping_sub(1);
        }
    }

    /// Branches out of so many blocks, or to the beginning of the loop that is the last of them.
    pub(super) fn branch(&mut self, depth: u32) {
        if let Some(open) = self.open.iter_mut().rev().nth(depth as usize) {
            open.is_met = true;
        }
    }

    /// Counts operators that need a certain register.
    pub(super) fn pin(&mut self, operators: u64) {
        self.pinned += operators;
    }

    /// Ends the innermost block.
    pub(super) fn close(&mut self) {
        let (Some(ended), Some(around)) = (self.open.pop(), self.open.last_mut()) else { return };
        // Never negative: what is subtracted was counted in a block that has ended, or here.
        around.set = around.set.wrapping_add(ended.set);
        let merged = if ended.is_met { ended.set.saturating_add(ended.width) } else { 0 };
        self.values = self.values.saturating_add(merged);
        self.places += u64::from(merged > 0);
    }

    /// The cost in memory: no list of values is longer than there are places, and all together have all values.
    pub(super) fn held(&self) -> u64 {
        let pinned = self.pinned.saturating_mul(self.pinned) / PINNED_PER_HELD;
        self.values.saturating_mul(self.places).saturating_add(pinned)
    }

    /// The same as bytes of plain code.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held() / PER_BYTE
    }

    /// The cost in time.
    pub(super) fn squared(&self) -> u64 {
        let copied = self.values.saturating_mul(self.places).saturating_mul(COPIED);
        let pinned = self.pinned.saturating_mul(self.pinned).saturating_mul(PINNED);
        self.values.saturating_mul(self.values).saturating_add(copied).saturating_add(pinned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is merged in a function: `(` and `[` open a block that is met or not, `)` closes one, a digit sets a local, `^` is a
    /// branch out of the innermost block, and `*` out of the one around it.
    fn counted(merges: &mut Merges, function: &str) -> (u64, u64) {
        merges.begin();
        for operator in function.chars() {
            match operator {
                '(' => merges.open(0, true),
                '[' => merges.open(0, false),
                ')' => merges.close(),
                '^' => merges.branch(0),
                '*' => merges.branch(1),
                digit => merges.set(digit.to_digit(10).unwrap()),
            }
        }
        merges.close();
        (merges.values, merges.places)
    }

    #[test]
    fn a_local_counts_once_in_each_block_around_it_that_control_leaves_in_two_ways() {
        let mut merges = Merges::default();
        for (function, expected) in [
            ("", (0, 0)),
            ("012", (0, 0)),
            ("(0)", (1, 1)),
            ("[0)", (0, 0)),
            ("[0^)", (1, 1)),
            ("()", (0, 0)),
            ("0(0)", (1, 1)),
            ("(00)", (1, 1)),
            ("(01)(12)", (4, 2)),
            ("(0(0))", (2, 2)),
            ("((0)0)", (2, 2)),
            ("((0)(0))", (3, 3)),
            ("((0)(1)0)", (4, 3)),
            ("(0(1)(0)2)", (5, 3)),
            ("[[0*))", (1, 1)),
            ("[([0)))", (1, 1)),
            ("(((((0)))))", (5, 5)),
            ("^(0)**", (1, 1)),
        ] {
            assert_eq!(counted(&mut merges, function), expected, "{function}");
        }
        merges.set(u32::MAX);
        merges.close();
        merges.branch(u32::MAX);
    }

    #[test]
    fn it_is_the_same_as_counting_slowly() {
        // Pseudorandom functions.
        let mut state = 1_u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut merges = Merges::default();
        for _ in 0..200 {
            let mut function = String::new();
            let mut depth = 0;
            for _ in 0..next(60) {
                match next(6) {
                    0 => (depth, function) = (depth + 1, function + "("),
                    1 if depth > 0 => (depth, function) = (depth - 1, function + ")"),
                    _ => function.extend(char::from_digit(next(6) as u32, 10)),
                }
            }
            function.extend(std::iter::repeat_n(')', depth));
            assert_eq!(counted(&mut merges, &function), slowly(&function), "{function}");
        }
    }

    #[test]
    fn costs_grow_with_the_square() {
        let mut merges = Merges::default();
        assert_eq!(counted(&mut merges, "(01)(12)"), (4, 2));
        assert_eq!((merges.held(), merges.squared()), (8, 16 + 4 * 8));
        (0..10).for_each(|_| merges.pin(1));
        assert_eq!((merges.held(), merges.squared()), (8 + 25, 16 + 4 * 8 + 10 * 100));
        merges.begin();
        assert_eq!((merges.held(), merges.squared(), merges.held_bytes()), (0, 0, 0));
    }

    fn slowly(function: &str) -> (u64, u64) {
        let (mut values, mut places) = (0, 0);
        for (begin, _) in function.match_indices('(') {
            let mut depth = 0;
            let mut set = std::collections::BTreeSet::new();
            for operator in function[begin..].chars() {
                match operator {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    digit => _ = set.insert(digit),
                }
                if depth == 0 {
                    break;
                }
            }
            values += set.len() as u64;
            places += u64::from(!set.is_empty());
        }
        (values, places)
    }
}
