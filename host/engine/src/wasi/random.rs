//! Randomness: using the system's is a touch, using numbers derived from a seed is not.

use hostel_core::{RandomBytes, RandomPurpose, RandomSeed, Randomness, Touch};
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::random::WasiRandomCtx;

use crate::notes::Notes;

/// The maximum number of bytes that a guest may request in one call; it traps if it requests more.
const BYTES_AT_ONCE: u64 = 64 << 20;

/// The randomness of one attempt; no number is generated before the guest requests one.
pub(crate) struct Random {
    secure: Source,
    insecure: Source,
    /// Generated once: the same for each request of the guest.
    insecure_seed: Option<(u64, u64)>,
    seed: Option<RandomSeed>,
}

/// The view on which the interfaces of randomness are implemented.
pub(crate) struct RandomView<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) notes: &'a mut Notes,
}

/// The source of the numbers for one purpose.
enum Source {
    System(Option<Box<WasiRandomCtx>>),
    Seeded(Option<RandomBytes>, RandomSeed, RandomPurpose),
}

impl HasData for Random {
    type Data<'a> = RandomView<'a>;
}

/// Links `wasi:random`.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> RandomView<'_>,
) -> wasmtime::Result<()> {
    random::add_to_linker::<T, Random>(linker, view)?;
    insecure::add_to_linker::<T, Random>(linker, view)?;
    insecure_seed::add_to_linker::<T, Random>(linker, view)
}

impl Random {
    /// A seed chosen by the user is for all randomness. The key of a result seeds only insecure randomness, which then
    /// follows from the inputs; secrets must not, unless the user chose so.
    pub(crate) fn new(randomness: Randomness, key: Option<[u8; 32]>) -> Self {
        let key = key.map(RandomSeed::Key);
        let chosen = match randomness {
            Randomness::Real => None,
            Randomness::Seeded(seed) => Some(RandomSeed::Number(seed)),
            Randomness::Key => key,
        };
        let seed = chosen.or(key);
        Self {
            secure: Source::new(chosen, RandomPurpose::Secure),
            insecure: Source::new(seed, RandomPurpose::Insecure),
            insecure_seed: None,
            seed,
        }
    }

    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        if let Some(known) = self.insecure_seed {
            return Ok(known);
        }
        let mut source = Source::new(self.seed, RandomPurpose::InsecureSeed);
        let drawn = (source.next_u64()?, source.next_u64()?);
        self.insecure_seed = Some(drawn);
        Ok(drawn)
    }
}

impl Source {
    fn new(seed: Option<RandomSeed>, purpose: RandomPurpose) -> Self {
        match seed {
            Some(seed) => Self::Seeded(None, seed, purpose),
            None => Self::System(None),
        }
    }

    fn is_system(&self) -> bool {
        matches!(self, Self::System(_))
    }

    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::System(system) => random::Host::get_random_u64(&mut **system.get_or_insert_default()),
            Self::Seeded(stream, seed, purpose) => {
                Ok(stream.get_or_insert_with(|| RandomBytes::new(*seed, *purpose)).next_u64())
            }
        }
    }

    fn bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let too_many =
            || wasmtime::Error::msg(format!("{len} random bytes at once are over {BYTES_AT_ONCE}"));
        let size = usize::try_from(len).ok().filter(|_| len <= BYTES_AT_ONCE).ok_or_else(too_many)?;
        match self {
            Self::System(system) => {
                random::Host::get_random_bytes(&mut **system.get_or_insert_default(), len)
            }
            Self::Seeded(stream, seed, purpose) => {
                let mut bytes = vec![0; size];
                stream.get_or_insert_with(|| RandomBytes::new(*seed, *purpose)).fill(&mut bytes);
                Ok(bytes)
            }
        }
    }
}

impl RandomView<'_> {
    fn secure(&mut self) -> &mut Source {
        if self.random.secure.is_system() {
            self.notes.touch(Touch::Randomness);
        }
        &mut self.random.secure
    }

    fn insecure(&mut self) -> &mut Source {
        if self.random.insecure.is_system() {
            self.notes.touch(Touch::Randomness);
        }
        &mut self.random.insecure
    }
}

impl random::Host for RandomView<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.secure().bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.secure().next_u64()
    }
}

impl insecure::Host for RandomView<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.insecure().bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.insecure().next_u64()
    }
}

impl insecure_seed::Host for RandomView<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        self.insecure();
        self.random.insecure_seed()
    }
}
