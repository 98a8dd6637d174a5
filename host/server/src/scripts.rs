//! Scripts: source text that is uploaded, and the tasks in it.

use hostel::registry::{ComponentName, ComponentRef, Push, Pushed};
use hostel::{
    Component, Digest, ErrorKind, FindError, Language, Script, ScriptError, ScriptFailure, ScriptPackage,
    Task,
};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::app::App;
use crate::clock::now;
use crate::problem::{Answer, ApiProblem, Code};
use crate::tokens::Identity;

/// What a digest of the registry stands for.
pub(crate) enum Registered {
    Component(Component),
    Script(Script),
}

impl Registered {
    /// The task with this name.
    pub(crate) fn task(&self, export: &str) -> Result<Task, FindError> {
        match self {
            Self::Component(component) => component.task(export),
            Self::Script(script) => script.task(export),
        }
    }

    /// The only task.
    pub(crate) fn only_task(&self) -> Result<Task, FindError> {
        match self {
            Self::Component(component) => component.only_task(),
            Self::Script(script) => script.only_task(),
        }
    }

    /// The component that is executed.
    pub(crate) fn component(&self) -> &Component {
        match self {
            Self::Component(component) => component,
            Self::Script(script) => script.runtime(),
        }
    }
}

impl App {
    /// A component or a script of the registry, compiled.
    pub(crate) async fn registered(&self, digest: Digest) -> Answer<Registered> {
        if let Some(component) = self.loaded.get(&digest) {
            return Ok(Registered::Component(component));
        }
        if let Some(script) = self.scripts.get(&digest) {
            return Ok(Registered::Script(script));
        }
        let manifest = self.registry(move |registry| registry.component(&ComponentRef::Digest(digest)));
        let Some(manifest) = manifest.await?.manifest.script else {
            return self.component(digest).await.map(Registered::Component);
        };
        let bytes = self.registry(move |registry| registry.bytes(digest)).await?;
        let damaged = |error: &dyn std::error::Error| {
            ApiProblem::new(Code::Kind(ErrorKind::Internal), format!("{digest} is damaged: {error}"))
        };
        let package = ScriptPackage::decode(&bytes).map_err(|error| damaged(&error))?;
        let runtime = self.component(manifest.runtime).await?;
        let script = Script::stored(&runtime, &package, &manifest).map_err(|error| damaged(&error))?;
        self.scripts.insert(digest, script.clone());
        Ok(Registered::Script(script))
    }

    /// Forgets what was removed from the registry.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.loaded.remove(digest);
        self.scripts.remove(digest);
    }
}

/// The language of a body, by its media type; `None` for anything but a script.
pub(crate) fn language(headers: &HeaderMap) -> Option<Language> {
    let given = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = given.split(';').next().unwrap_or_default().trim();
    Language::ALL.into_iter().find(|language| language.media_type().eq_ignore_ascii_case(essence))
}

/// Reads the functions of a source, and stores it with the runtime that this server has for its language.
pub(crate) async fn push(
    app: &App,
    identity: &Identity,
    language: Language,
    file: String,
    source: Vec<u8>,
) -> Answer<Pushed> {
    // Editors on Windows write the mark, and Python skips it, too.
    let source = source.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(source);
    let source = String::from_utf8(source).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ApiProblem::invalid(format!("the source is not UTF-8: the first other byte is at {at}"))
    })?;
    let runtime = app.component(runtime(app, language).await?).await?;
    let script = Script::read(&runtime, file, source).await.map_err(unread)?;
    let (bytes, manifest) = script.package(language).map_err(unread)?;
    let (digest, by) = (manifest.digest, identity.name.to_string());
    let pushed = app.registry(move |registry| {
        registry.push(&Push { bytes: &bytes, manifest: &manifest, naming: None, by: &by, at: now() })
    });
    let pushed = pushed.await?;
    app.scripts.insert(digest, script);
    Ok(pushed)
}

/// The runtime of a language.
async fn runtime(app: &App, language: Language) -> Answer<Digest> {
    let name = language.runtime_name();
    let reference: ComponentName = name.parse().map_err(|error| ApiProblem::invalid(format!("{error}")))?;
    let reference = ComponentRef::Named { name: reference, version: None };
    let resolved = app.registry(move |registry| registry.resolve(&reference)).await;
    resolved.map(|resolved| resolved.digest).map_err(|problem| {
        if problem.code() != Code::Kind(ErrorKind::NotFound) {
            return problem;
        }
        let title = language.title();
        ApiProblem::new(Code::Kind(ErrorKind::Conflict), format!("the server has no {title} runtime"))
            .hint(format!("hostel push FILE --name {name} --server URL gives it one"))
    })
}

/// Why a source is not stored, with its place.
fn unread(error: ScriptError) -> ApiProblem {
    let problem = ApiProblem::new(Code::Kind(error.kind()), error.to_string());
    if let ScriptError::Source(ScriptFailure::Syntax { line, column, text, .. }) = &error {
        problem.with("line", line).with("column", column).with("text", text)
    } else {
        problem
    }
}
