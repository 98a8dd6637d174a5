#![allow(missing_docs, dead_code)]
#[derive(Clone, Debug, Default)]
pub struct Grants;
