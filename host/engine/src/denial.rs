//! What a guest is refused for want of a grant: counted, and told in its log, the same once.

use std::collections::HashSet;

use hostel_core::GrantKind;

use crate::guest::Guest;

/// How many different remarks on denials an attempt's log gets. The others are only counted.
const REMARKS: usize = 20;

/// What was remarked so far.
#[derive(Default)]
pub(crate) struct Remarked(HashSet<String>);

impl Remarked {
    /// The remark, if it is new and there is room for it.
    fn admit(&mut self, remark: impl FnOnce() -> String) -> Option<String> {
        if self.0.len() >= REMARKS {
            return None;
        }
        let remark = remark();
        self.0.insert(remark.clone()).then_some(remark)
    }
}

impl Guest {
    /// Counts that a grant of this kind was missing, and says so in the log.
    pub(crate) fn deny(&mut self, kind: GrantKind, remark: impl FnOnce() -> String) {
        self.tally.denials.count(kind);
        if let Some(remark) = self.remarked.admit(remark) {
            self.call.options.log.remark(remark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remark_is_made_once_and_only_so_many_are() {
        let mut remarked = Remarked::default();
        let mut admit = |number: usize| remarked.admit(|| format!("denial {number}"));
        assert_eq!(admit(0), Some("denial 0".to_owned()));
        assert_eq!(admit(0), None);
        let admitted = (1..1000).filter_map(admit).count();
        assert_eq!(admitted, REMARKS - 1);
    }
}
