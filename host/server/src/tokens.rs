//! Tokens: who may do what. One is made at the first start; others are made by those who may do everything.
//!
//! `DATA_DIR/token` has the text of the first one, for commands of its owner. `DATA_DIR/tokens-1.json` has the SHA-256 of each, its
//! name and its scopes. Both can only be read by the owner of the data directory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostel::{Digest, ErrorKind, QueueName};
use hostel_files::{UNFINISHED_PREFIX, open_or_create_private, open_regular_file, private_temp_file};
use serde::{Deserialize, Serialize};

use crate::bounds::TOKENS;
use crate::clock::now;
use crate::problem::{Answer, ApiProblem, Code};
use crate::restricted::{Names, Restricted, Subject};
use crate::scope::{Scope, Scopes};

/// The file with the text of the first token.
const OWNER_FILE: &str = "token";
/// The file with all others, with the version of its format in the name.
const FILE: &str = "tokens-1.json";
/// The file whose lock a writer holds.
const LOCK: &str = "tokens-1.lock";
/// The name of the first token.
pub(crate) const OWNER: &str = "owner";
/// Larger than either file ever gets.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// How each token begins, so that people and scanners recognise one.
const PREFIX: &str = "hostel_";
/// The most characters of a name.
const NAME_CHARS: usize = 64;

/// Who sends a request.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The name of the token.
    pub(crate) name: Arc<str>,
    /// What it may do.
    pub(crate) scopes: Scopes,
    /// What it may do with some runs.
    pub(crate) restricted: Arc<[Restricted]>,
    /// The names of components that may be meant by it; without any before the guard has looked them up.
    pub(crate) names: Arc<Names>,
    /// The SHA-256 of its text.
    pub(crate) digest: Digest,
}

impl Identity {
    fn new(
        digest: Digest,
        name: &str,
        scopes: Scopes,
        restricted: impl IntoIterator<Item = Restricted>,
    ) -> Self {
        let restricted = restricted.into_iter().collect();
        Self { name: name.into(), scopes, restricted, names: Arc::default(), digest }
    }

    /// Refuses a token without this scope for all runs.
    pub(crate) fn require(&self, scope: Scope) -> Answer<()> {
        self.require_all(&[scope])
    }

    /// Refuses a token that lacks some of these scopes for all runs, and names all that it lacks.
    pub(crate) fn require_all(&self, scopes: &[Scope]) -> Answer<()> {
        let lacks = |scope: &Scope| !self.scopes.allow(*scope);
        self.missing(scopes.iter().copied().filter(lacks).collect()).map_or(Ok(()), Err)
    }

    /// Refuses a token that lacks some of these scopes even for some runs. Returns those that it has only for some.
    pub(crate) fn admit(&self, scopes: &[Scope]) -> Answer<Vec<Scope>> {
        let partial: Vec<Scope> = scopes.iter().copied().filter(|scope| !self.scopes.allow(*scope)).collect();
        let has_some = |scope: Scope| self.restricted.iter().any(|one| one.scope() == scope);
        let missing = partial.iter().copied().filter(|scope| !has_some(*scope)).collect();
        self.missing(missing).map_or(Ok(partial), Err)
    }

    /// Whether it has this scope for a run.
    pub(crate) fn allows(&self, scope: Scope, run: &Subject<'_>) -> bool {
        let is_for = |one: &Restricted| one.scope() == scope && one.fits(run, &self.names);
        self.scopes.allow(scope) || self.restricted.iter().any(is_for)
    }

    /// Refuses a token without this scope for a run.
    pub(crate) fn require_for(&self, scope: Scope, run: &Subject<'_>) -> Answer<()> {
        if self.allows(scope, run) { Ok(()) } else { Err(self.only_for_some(scope, "not for this run")) }
    }

    /// Refuses a token without this scope for all runs of a queue.
    pub(crate) fn require_queue(&self, scope: Scope, queue: &QueueName) -> Answer<()> {
        let is_for = |one: &Restricted| one.scope() == scope && one.fits_queue(queue);
        if self.scopes.allow(scope) || self.restricted.iter().any(is_for) {
            return Ok(());
        }
        let but = "and a unique key needs it for all runs of the queue, which share the key";
        Err(self.only_for_some(scope, but))
    }

    /// The problem of a request that is about all runs.
    pub(crate) fn not_for_all(&self, scope: Scope) -> ApiProblem {
        self.only_for_some(scope, "and this request needs it for all")
    }

    fn only_for_some(&self, scope: Scope, but: &str) -> ApiProblem {
        let own = self.restricted.iter().filter(|one| one.scope() == scope).map(ToString::to_string);
        let own = own.collect::<Vec<_>>().join("; ");
        let problem =
            format!("the token {:?} has the scope {scope} only for some runs ({own}), {but}", self.name);
        ApiProblem::new(Code::MissingScope, problem).with("scope", scope).with("scopes", [scope])
    }

    /// The problem of scopes that are missing, if there are any.
    fn missing(&self, missing: Vec<Scope>) -> Option<ApiProblem> {
        let first = *missing.first()?;
        let names: Vec<_> = missing.iter().map(|scope| scope.name()).collect();
        let problem = match names.as_slice() {
            [only] => format!("the token {:?} has no scope {only}", self.name),
            all => format!("the token {:?} has none of the scopes {}", self.name, all.join(", ")),
        };
        let problem = ApiProblem::new(Code::MissingScope, problem);
        Some(problem.with("scope", first).with("scopes", missing))
    }
}

/// A token as it is stored: without its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    /// Its name.
    pub(crate) name: String,
    /// The SHA-256 of its text.
    pub(crate) sha256: HexDigest,
    /// What it may do.
    pub(crate) scopes: Vec<Scope>,
    /// What it may do with some runs. An earlier version of the server does not know them, and allows less.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) restricted: Vec<String>,
    /// When it was made.
    pub(crate) created_at: String,
}

/// A digest as hexadecimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct HexDigest(String);

/// The tokens of a data directory.
#[derive(Debug)]
pub(crate) struct Tokens {
    dir: PathBuf,
    owner: String,
    known: Mutex<Known>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Known {
    stamp: Option<(SystemTime, u64)>,
    by_digest: HashMap<Digest, Identity>,
}

/// The tokens cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file of tokens is damaged.
    #[error("{} is damaged: {problem}; remove it, and make new tokens", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The name is none, or is in use.
    #[error("{problem}")]
    Name {
        /// What is wrong, and what was expected.
        problem: String,
        /// Whether it is in use.
        is_taken: bool,
    },
    /// The first token is to be removed.
    #[error("the token {OWNER:?} cannot be removed: it is that of the data directory; to replace it, end the server and remove {}", path.display())]
    Owner {
        /// The file with its text.
        path: PathBuf,
    },
    /// There are too many.
    #[error("there are {TOKENS} tokens: remove some first")]
    Full,
    /// There is no such token.
    #[error("there is no token {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl TokenError {
    /// The kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Unavailable,
            Self::Damaged { .. } => ErrorKind::Internal,
            Self::Name { is_taken: true, .. } | Self::Owner { .. } => ErrorKind::Conflict,
            Self::Name { is_taken: false, .. } => ErrorKind::Invalid,
            Self::Full => ErrorKind::Exhausted,
            Self::Unknown { .. } => ErrorKind::NotFound,
        }
    }
}

impl From<TokenError> for ApiProblem {
    fn from(error: TokenError) -> Self {
        Self::new(Code::Kind(error.kind()), hostel_wire::message(&error))
    }
}

/// A text that nobody can guess: 256 random bits.
///
/// # Errors
///
/// If the system has no random numbers.
pub(crate) fn secret() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn new_token() -> io::Result<String> {
    secret().map(|secret| PREFIX.to_owned() + &secret)
}

impl Tokens {
    /// Opens the tokens of a data directory, and makes the first one if there is none.
    pub(crate) fn open(dir: &Path) -> Result<Self, TokenError> {
        let owner = owner_token(dir)?;
        let tokens = Self { dir: dir.to_owned(), owner, known: Mutex::default() };
        tokens.refresh(&mut tokens.known())?;
        Ok(tokens)
    }

    /// The text of the first token.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// Who has this token. It is looked up by its digest, so that the time of the comparison says nothing about the text.
    pub(crate) fn identify(&self, token: &str) -> Result<Option<Identity>, TokenError> {
        let digest = Digest::of(token.as_bytes());
        if digest == Digest::of(self.owner.as_bytes()) {
            return Ok(Some(Identity::new(digest, OWNER, Scopes::new([Scope::Admin]), [])));
        }
        let mut known = self.known();
        self.refresh(&mut known)?;
        Ok(known.by_digest.get(&digest).cloned())
    }

    /// Whether a token is still one: streams of one that was removed end. A token whose file cannot be read is none.
    pub(crate) fn is_known(&self, identity: &Identity) -> bool {
        if identity.digest == Digest::of(self.owner.as_bytes()) {
            return true;
        }
        let mut known = self.known();
        self.refresh(&mut known).is_ok() && known.by_digest.contains_key(&identity.digest)
    }

    /// All tokens but the first, by name.
    pub(crate) fn list(&self) -> Result<Vec<TokenRecord>, TokenError> {
        self.read()
    }

    /// Makes a token and returns its text, which is not stored.
    pub(crate) fn create(
        &self,
        name: &str,
        scopes: &[Scope],
        restricted: &[Restricted],
    ) -> Result<(String, TokenRecord), TokenError> {
        check_name(name)?;
        let _lock = self.lock()?;
        let mut all = self.read()?;
        if all.iter().any(|token| token.name == name) {
            let problem = format!("there is a token {name:?}: choose another name, or remove that one first");
            return Err(TokenError::Name { problem, is_taken: true });
        }
        if all.len() >= TOKENS {
            return Err(TokenError::Full);
        }
        let token = new_token().map_err(|source| self.io("write", FILE, source))?;
        let record = TokenRecord {
            name: name.to_owned(),
            sha256: HexDigest(Digest::of(token.as_bytes()).hex()),
            scopes: Scopes::new(scopes.iter().copied()).list().to_vec(),
            restricted: restricted.iter().map(ToString::to_string).collect(),
            created_at: hostel_wire::instant(now()),
        };
        all.push(record.clone());
        all.sort_by(|one, other| one.name.cmp(&other.name));
        self.write(&all)?;
        Ok((token, record))
    }

    /// Removes a token: nobody may use it from now on.
    pub(crate) fn remove(&self, name: &str) -> Result<(), TokenError> {
        if name == OWNER {
            return Err(TokenError::Owner { path: self.dir.join(OWNER_FILE) });
        }
        let _lock = self.lock()?;
        let mut all = self.read()?;
        let count = all.len();
        all.retain(|token| token.name != name);
        if all.len() == count {
            return Err(TokenError::Unknown { name: name.chars().take(NAME_CHARS).collect() });
        }
        self.write(&all)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again if another process, or this one, has changed it.
    fn refresh(&self, known: &mut Known) -> Result<(), TokenError> {
        let stamp = fs::metadata(self.dir.join(FILE))
            .ok()
            .map(|file| (file.modified().unwrap_or(SystemTime::UNIX_EPOCH), file.len()));
        if stamp != known.stamp {
            let all = self.read()?;
            let identities = all.into_iter().filter_map(|token| {
                let digest = format!("sha256:{}", token.sha256.0).parse().ok()?;
                // What a later version may know is not allowed.
                let restricted = token.restricted.iter().filter_map(|text| text.parse().ok());
                Some((digest, Identity::new(digest, &token.name, Scopes::new(token.scopes), restricted)))
            });
            known.by_digest = identities.collect();
            known.stamp = stamp;
        }
        Ok(())
    }

    fn read(&self) -> Result<Vec<TokenRecord>, TokenError> {
        let path = self.dir.join(FILE);
        match read_file(&path) {
            Ok(bytes) => serde_json::from_str(&bytes)
                .map_err(|error| TokenError::Damaged { path, problem: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(self.io("read", FILE, source)),
        }
    }

    fn write(&self, all: &[TokenRecord]) -> Result<(), TokenError> {
        let write = || -> io::Result<()> {
            let mut file = private_temp_file(UNFINISHED_PREFIX, &self.dir)?;
            serde_json::to_writer_pretty(&mut file, all)?;
            file.as_file().sync_all()?;
            file.persist(self.dir.join(FILE))?;
            Ok(())
        };
        write().map_err(|source| self.io("write", FILE, source))
    }

    /// Holds the lock of writers until the file is closed.
    fn lock(&self) -> Result<File, TokenError> {
        let file = open_or_create_private(&self.dir.join(LOCK));
        let file = file.map_err(|source| self.io("write", LOCK, source))?;
        file.lock().map_err(|source| self.io("write", LOCK, source))?;
        Ok(file)
    }

    fn io(&self, action: &'static str, file: &str, source: io::Error) -> TokenError {
        TokenError::Io { action, path: self.dir.join(file), source }
    }
}

/// The text of the first token, which is made if there is none.
fn owner_token(dir: &Path) -> Result<String, TokenError> {
    match read_owner_token(dir) {
        Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let path = owner_token_file(dir);
    let make = || -> io::Result<()> {
        let mut file = private_temp_file(UNFINISHED_PREFIX, dir)?;
        writeln!(file, "{}", new_token()?)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            // Another process was faster.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.error),
        }
    };
    make().map_err(|source| TokenError::Io { action: "write", path: path.clone(), source })?;
    read_owner_token(dir)
}

/// The file of a data directory with the text of its first token, which may do everything.
pub fn owner_token_file(dir: &Path) -> PathBuf {
    dir.join(OWNER_FILE)
}

/// Reads the text of the first token of a data directory, as a server made it. Only a regular file is read: neither a link nor a
/// pipe, on which it could wait for ever.
///
/// # Errors
///
/// [`TokenError`] if the file cannot be read or has no token.
pub fn read_owner_token(dir: &Path) -> Result<String, TokenError> {
    let path = owner_token_file(dir);
    match read_file(&path) {
        Ok(text) => checked(text, &path),
        Err(source) => Err(TokenError::Io { action: "read", path, source }),
    }
}

/// The text of a regular file of the data directory.
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular_file(path, File::options().read(true))?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn checked(text: String, path: &Path) -> Result<String, TokenError> {
    const LEAST: usize = 32;
    let token = text.trim();
    if token.len() >= LEAST && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token.to_owned());
    }
    let problem = format!("expected one line with a token of at least {LEAST} characters");
    Err(TokenError::Damaged { path: path.to_owned(), problem })
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name == OWNER {
        let problem = format!("the name {OWNER:?} is that of the first token: choose another one");
        return Err(TokenError::Name { problem, is_taken: true });
    }
    if (1..=NAME_CHARS).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    let name: String = name.chars().take(NAME_CHARS + 1).collect();
    let problem = format!(
        "invalid name of a token {name:?}: expected 1 to {NAME_CHARS} characters a-z, A-Z, 0-9, '.', '_' and '-'"
    );
    Err(TokenError::Name { problem, is_taken: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Tokens::open(dir.path()).unwrap();
        let again = Tokens::open(dir.path()).unwrap();
        assert_eq!(first.owner(), again.owner());
        assert_eq!(first.owner().len(), PREFIX.len() + 43);
        let identity = first.identify(first.owner()).unwrap().unwrap();
        assert!(identity.scopes.allow(Scope::Admin) && &*identity.name == OWNER);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join(OWNER_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn tokens_are_made_seen_by_other_processes_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, other) = (Tokens::open(dir.path()).unwrap(), Tokens::open(dir.path()).unwrap());
        let (text, record) = tokens.create("ci", &[Scope::Run, Scope::Read], &[]).unwrap();
        assert!(!fs::read_to_string(dir.path().join(FILE)).unwrap().contains(&text));
        assert_eq!(record.scopes, [Scope::Read, Scope::Run]);
        let identity = other.identify(&text).unwrap().unwrap();
        assert!(identity.scopes.allow(Scope::Run) && !identity.scopes.allow(Scope::Cancel));
        assert_eq!(tokens.create("ci", &[], &[]).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(tokens.create("a b", &[], &[]).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(tokens.create(OWNER, &[], &[]).unwrap_err().kind(), ErrorKind::Conflict);
        other.remove("ci").unwrap();
        assert!(tokens.identify(&text).unwrap().is_none());
        assert_eq!(tokens.remove("ci").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_token_may_have_scopes_for_some_runs() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).unwrap();
        let restricted = ["run queue:nightly".parse().unwrap(), "cancel tag:a*".parse().unwrap()];
        let (text, record) = tokens.create("ci", &[Scope::Read], &restricted).unwrap();
        assert_eq!(record.restricted, ["run queue:nightly", "cancel tag:a*"]);
        let identity = Tokens::open(dir.path()).unwrap().identify(&text).unwrap().unwrap();
        assert_eq!(*identity.restricted, restricted);
        assert!(!identity.scopes.allow(Scope::Run));
        assert_eq!(identity.admit(&[Scope::Read, Scope::Run]).unwrap(), [Scope::Run]);
        let missing = |scopes: &[Scope]| identity.admit(scopes).unwrap_err().detail().to_owned();
        assert_eq!(missing(&[Scope::ReadValues]), "the token \"ci\" has no scope read:values");
        assert_eq!(
            missing(&[Scope::Read, Scope::ReadValues, Scope::Run, Scope::Components]),
            "the token \"ci\" has none of the scopes read:values, components"
        );
        let problem = identity.require(Scope::Run).unwrap_err();
        assert_eq!(problem.detail(), "the token \"ci\" has no scope run");
        // Of a later version, which knows more.
        let file = dir.path().join(FILE);
        let later = fs::read_to_string(&file).unwrap().replace("queue:nightly", "worker:nightly");
        fs::write(&file, later).unwrap();
        let identity = tokens.identify(&text).unwrap().unwrap();
        assert_eq!(*identity.restricted, restricted[1..]);
    }

    fn reason(error: &TokenError) -> String {
        std::error::Error::source(error).unwrap().to_string()
    }

    #[test]
    fn damaged_files_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(OWNER_FILE), "short\n").unwrap();
        assert_eq!(Tokens::open(dir.path()).unwrap_err().kind(), ErrorKind::Internal);
        fs::remove_file(dir.path().join(OWNER_FILE)).unwrap();
        fs::create_dir(dir.path().join(OWNER_FILE)).unwrap();
        let error = Tokens::open(dir.path()).unwrap_err();
        assert!(reason(&error).contains("expected a regular file, found a directory"), "{error}");
        fs::remove_dir(dir.path().join(OWNER_FILE)).unwrap();
        // Opening it would wait for ever.
        #[cfg(unix)]
        for file in [OWNER_FILE, FILE] {
            let path = dir.path().join(file);
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            let error = Tokens::open(dir.path()).unwrap_err();
            assert!(reason(&error).contains("expected a regular file, found a FIFO"), "{error}");
            fs::remove_file(&path).unwrap();
        }
        fs::write(dir.path().join(FILE), "{").unwrap();
        let error = Tokens::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("tokens-1.json is damaged"), "{error}");
    }
}
