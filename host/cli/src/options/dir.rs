//! `--dir`: directories for the guest, each with the place where it was given; whether they exist is checked later.

use std::path::Path;

use hostel::grammar::{self, OptionTextError};
use hostel::{DirGrant, Grants, OpenDirError, check_dirs};

use crate::problem::Problem;

/// The meaning of the colons in a grant.
const COLONS_HINT: &str = "HOST::GUEST gives it another name; :ro or :rw at the end sets the access";

/// A directory grant, and the place where it was given.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    grant: DirGrant,
    place: String,
}

impl Dir {
    /// Parses `HOST[::GUEST][:rw]`, given in `place`.
    pub(crate) fn new(text: &str, place: String) -> Result<Self, OptionTextError> {
        Ok(Self { grant: grammar::dir(text)?, place })
    }

    pub(crate) fn grant(&self) -> DirGrant {
        self.grant.clone()
    }

    /// The same, with its path on the host relative to `base`.
    pub(crate) fn below(self, base: &Path) -> Self {
        Self { grant: self.grant.below(base), ..self }
    }

    /// Refuses a directory that cannot be opened.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let grants = Grants { dirs: vec![self.grant()], ..Grants::default() };
        check_dirs(&grants).map_err(|error| {
            let has_colon = self.grant.host().to_string_lossy().contains(':');
            let hint = (has_colon && matches!(error, OpenDirError::NotFound { .. })).then_some(COLONS_HINT);
            Problem::from(error).within(&self.place).hints_of(hint.map(str::to_owned))
        })
    }
}

/// Parses a directory on the command line.
pub(crate) fn typed(text: &str) -> Result<Dir, OptionTextError> {
    Dir::new(text, "--dir".to_owned())
}
