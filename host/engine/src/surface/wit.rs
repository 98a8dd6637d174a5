//! The WIT of a component as text: its world, and the interfaces that it uses.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hostel_core::bytes_text;
use wasm_encoder::{CustomSection, Encode, SectionId};
use wit_component::{Output, WitPrinter};
use wit_parser::PackageMetadata;
use wit_parser::decoding::decode;

use super::{for_each_payload, of_component};
use crate::survey::{self, Refused};

/// The maximum length of the text. That of a component with all interfaces of WASI is 80 KiB.
pub(crate) const MAX_WIT_BYTES: usize = 1 << 20;

/// The maximum length of the section with doc comments.
const MAX_DOCS_BYTES: usize = 256 << 10;

/// Why there is no WIT.
pub(crate) enum Unwritten {
    /// The survey refuses the component.
    Refused(Refused),
    /// It cannot be written in WIT, in words.
    Because(String),
}

/// The WIT of a component. The survey and the validator bound the depth and the size of its types, and with them the time.
pub(crate) fn text(bytes: &[u8]) -> Result<String, Unwritten> {
    survey::survey(bytes).map_err(Unwritten::Refused)?;
    let surface = of_component(bytes).unwrap_or_else(|| bytes.to_vec());
    let with_docs = docs(bytes).and_then(|docs| written(&[&surface[..], &docs].concat()).ok());
    // Comments on something that the component lacks are an error, and no reason to show nothing.
    with_docs.map_or_else(|| written(&surface), Ok).map_err(Unwritten::Because)
}

/// The section with doc comments, if there is one that is not too long.
fn docs(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut section = None;
    for_each_payload(bytes, |payload| {
        if let wasmparser::Payload::CustomSection(custom) = payload
            && custom.name() == PackageMetadata::SECTION_NAME
            && custom.data().len() <= MAX_DOCS_BYTES
        {
            let mut encoded = vec![SectionId::Custom as u8];
            CustomSection { name: custom.name().into(), data: custom.data().into() }.encode(&mut encoded);
            section = Some(encoded);
        }
        Some(())
    })?;
    section
}

/// Reads and writes it. The reader panics on some valid components that WIT cannot express.
fn written(component: &[u8]) -> Result<String, String> {
    let write = || {
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let decoded = decode(component).map_err(|error| one_line(format!("{error:#}")))?;
        let (resolve, main) = (decoded.resolve(), decoded.package());
        let mut printer = WitPrinter::new(Text::default());
        let others = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main);
        for id in std::iter::once(main).chain(others) {
            if id != main {
                printer.output.newline();
            }
            let written = printer.print_package(resolve, id, id == main);
            written.map_err(|error| one_line(format!("{error:#}")))?;
        }
        Ok(printer.output)
    };
    let panicked = || Err("it has parts that WIT lacks".to_owned());
    let text = catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|_| panicked())?;
    if text.is_too_long {
        return Err(format!("its WIT is longer than {}", bytes_text(MAX_WIT_BYTES as u64)));
    }
    Ok(text.text)
}

/// Text of a bounded length.
#[derive(Default)]
struct Text {
    text: String,
    is_too_long: bool,
    indent: usize,
    /// Whether a line begins.
    begins: bool,
}

impl Output for Text {
    fn push_str(&mut self, src: &str) {
        if self.text.len() + src.len() > MAX_WIT_BYTES {
            self.is_too_long = true;
        } else {
            self.text.push_str(src);
        }
    }

    fn indent_if_needed(&mut self) -> bool {
        let begins = std::mem::take(&mut self.begins);
        if begins {
            self.push_str(&"  ".repeat(self.indent));
        }
        begins
    }

    fn indent_start(&mut self) {
        self.push_str(" {");
        self.indent += 1;
        self.newline();
    }

    fn indent_end(&mut self) {
        self.indent = self.indent.saturating_sub(1);
        self.indent_if_needed();
        self.push_str("}");
        self.newline();
    }

    fn newline(&mut self) {
        self.push_str("\n");
        self.begins = true;
    }
}
