#![allow(missing_docs, dead_code)]
#[derive(Clone, Debug, Default)]
pub struct Grants;
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    OnCommit,
    OnRollback,
}
pub trait CompExt {
    fn hook(&self, _: Hook) -> Option<hostel_engine::Function> {
        None
    }
}
impl CompExt for hostel_engine::Component {}
