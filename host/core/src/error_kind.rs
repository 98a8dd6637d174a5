//! The closed list of kinds of errors, which determine exit codes and HTTP statuses.

/// The kind of an error, independent of its type.
///
/// Every public error of the libraries has a `kind()`. The command line maps a kind to an exit code and a server
/// maps it to a status, each by one exhaustive match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is invalid: bad text, a value of the wrong type, an option out of range.
    Invalid,
    /// A named item does not exist.
    NotFound,
    /// The request conflicts with the current state.
    Conflict,
    /// A grant is missing, or the operating system denied access.
    Denied,
    /// A bound was reached: a full queue, a spent limit, a full disk.
    Exhausted,
    /// Temporarily impossible: the host is shutting down, a service is unreachable.
    Unavailable,
    /// An error of the host.
    Internal,
}
