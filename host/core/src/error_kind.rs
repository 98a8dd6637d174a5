//! The closed list of what can be wrong, from which exit codes and HTTP statuses follow.

/// What kind of thing went wrong, whatever the error type that says it.
///
/// Every public error of the libraries has a `kind()`. The command line maps a kind to an exit code and a server
/// maps it to a status, each by one exhaustive match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: bad text, a value of the wrong type, an option out of range.
    Invalid,
    /// Something that was named does not exist.
    NotFound,
    /// The request contradicts what already stands.
    Conflict,
    /// A grant is missing, or the operating system said no.
    Denied,
    /// A bound was reached: a full queue, a spent limit, a full disk.
    Exhausted,
    /// It cannot be done now: the host is shutting down, a service is away.
    Unavailable,
    /// The host failed at something it promises to do.
    Internal,
}
