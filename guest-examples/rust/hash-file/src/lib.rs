//! Bytes in, text out: any crate from crates.io that needs no operating system works in a guest.

use sha2::{Digest, Sha256};

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world hash-file {
            /// The SHA-256 of the data, as 64 lower-case hexadecimal digits.
            export sha256: func(data: list<u8>) -> string;
        }
    "
});

struct HashFile;

impl Guest for HashFile {
    fn sha256(data: Vec<u8>) -> String {
        Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

export!(HashFile);
