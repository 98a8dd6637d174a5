//! The parts of which encodings consist: numbers, texts, lists.

pub(crate) mod read;
pub(crate) mod write;

pub(crate) use self::read::Reader;
