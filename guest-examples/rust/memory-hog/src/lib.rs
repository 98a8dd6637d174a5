//! Misbehaving: takes memory, and touches every page of it so that it is really used.

use std::hint::black_box;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world memory-hog {
            /// Takes `mib` MiB and returns how many bytes that is. Traps when there is not enough.
            export eat: func(mib: u32) -> u64;
            /// The same, but lives on when memory is refused: the error says so.
            export try-eat: func(mib: u32) -> result<u64, string>;
        }
    "
});

const MIB: usize = 1 << 20;
const PAGE: usize = 4096;

struct MemoryHog;

impl Guest for MemoryHog {
    fn eat(mib: u32) -> u64 {
        let blocks: Vec<Vec<u8>> = (0..mib).map(|_| touched(Vec::with_capacity(MIB))).collect();
        total(&blocks)
    }

    fn try_eat(mib: u32) -> Result<u64, String> {
        let mut blocks = Vec::new();
        for taken in 0..mib {
            let mut block = Vec::new();
            block.try_reserve_exact(MIB).map_err(|error| format!("refused after {taken} MiB: {error}"))?;
            blocks.push(touched(block));
        }
        Ok(total(&blocks))
    }
}

export!(MemoryHog);

/// The block at its full length, one byte of each page written.
fn touched(mut block: Vec<u8>) -> Vec<u8> {
    block.resize(block.capacity(), 0);
    for page in block.chunks_mut(PAGE) {
        page[0] = 1;
    }
    black_box(block)
}

fn total(blocks: &[Vec<u8>]) -> u64 {
    blocks.iter().map(|block| block.len() as u64).sum()
}
