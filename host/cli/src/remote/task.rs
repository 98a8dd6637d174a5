//! Tasks of a server. The component of a file is uploaded first, by its digest; a script is uploaded as it is.

use std::path::Path;

use hostel::registry::ComponentRef;
use hostel::{CallText, Digest, ErrorKind, ExportPath, Host, Language, Signature};
use hostel_wire::{PushedObject, TaskDetailObject};

use super::client::Client;
use super::refusal::Trouble;
use super::request::Request;
use crate::arguments::takes_text_first;
use crate::load;
use crate::loaded;
use crate::problem::Problem;
use crate::task_ref::FileTask;
use crate::ui::Ui;

/// A task of a server.
#[derive(Debug)]
pub(super) struct RemoteTask {
    /// Its key, which always stands for the same code: `sha256:HEX#EXPORT`.
    pub(super) key: String,
    /// The component as the command line has it: a name, a version or a digest.
    pub(super) source: String,
    pub(super) export: String,
    pub(super) signature: Signature,
    pub(super) is_program: bool,
}

/// A task, and its arguments as text.
pub(super) struct RemoteCall<'a> {
    pub(super) task: RemoteTask,
    pub(super) texts: Vec<&'a str>,
}

/// What became of an upload.
pub(crate) struct Uploaded {
    pub(crate) digest: Digest,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
}

/// Uploads the component in a file, unless the server has it; or the script, whose digest only the server knows.
///
/// # Errors
///
/// [`Problem`] if the file has neither, or the server refuses it.
pub(crate) async fn upload(client: &Client, ui: &Ui, path: &Path) -> Result<Uploaded, Problem> {
    if let Some(language) = Language::of(path) {
        return upload_script(client, path, language).await;
    }
    let host = Host::builder().max_workers(1).max_instances(1).optimise(false).build()?;
    let bytes = load::bytes(&host, path).await?;
    let digest = Digest::of(&bytes);
    let text = digest.to_string();
    let place = ["components", text.as_str()];
    match client.try_send(&Request::head(&place)).await {
        Ok(_) => return Ok(Uploaded { digest, is_new: false }),
        Err(Trouble::Refused(refusal)) if refusal.status == 404 => {}
        // A head does not say why.
        Err(Trouble::Refused(_)) => _ = client.send(&Request::get(&place)).await?,
        Err(trouble) => return Err(trouble.into()),
    }
    let _busy = load::uploading(path, bytes.len() as u64).map(|text| ui.busy(&text));
    let request = Request::put(&place).wasm(bytes);
    let pushed: PushedObject = client.call(&request).await.map_err(|problem| of_file(problem, path))?;
    Ok(Uploaded { digest, is_new: pushed.new })
}

async fn upload_script(client: &Client, path: &Path, language: Language) -> Result<Uploaded, Problem> {
    let source = loaded::source(path)?.into_bytes();
    let request = Request::post(&["components"]).query("file", loaded::file_name(path));
    // The same source gets the same digest.
    let request = request.content(language.media_type(), source).repeatable();
    let pushed: PushedObject = client.call(&request).await.map_err(|problem| of_file(problem, path))?;
    let digest = pushed.digest.parse::<Digest>();
    let digest = digest.map_err(|error| Problem::new(ErrorKind::Unavailable, error.to_string()))?;
    Ok(Uploaded { digest, is_new: pushed.new })
}

/// A problem with the content of a file.
fn of_file(problem: Problem, path: &Path) -> Problem {
    if problem.is_invalid() { problem.within(path.display()) } else { problem }
}

/// The component that a text stands for, at the server.
async fn source(client: &Client, ui: &Ui, path: &Path) -> Result<String, Problem> {
    let text = path.to_str().filter(|text| !text.contains(['/', '\\']));
    let is_file = path.exists()
        || Language::of(path).is_some()
        || path.extension().is_some_and(|suffix| suffix == "wasm" || suffix == "wat");
    let reference = text.filter(|_| !is_file).map(str::parse::<ComponentRef>);
    match reference {
        Some(Ok(reference)) => Ok(reference.to_string()),
        Some(Err(error)) => Err(Problem::of(error.kind(), &error)),
        None => Ok(upload(client, ui, path).await?.digest.to_string()),
    }
}

/// Finds the task for `reference`, or the function in a single text such as `add(1, 2)`.
pub(super) async fn find<'a>(
    client: &Client,
    ui: &Ui,
    reference: &FileTask,
    texts: &'a [String],
) -> Result<RemoteCall<'a>, Problem> {
    let source = source(client, ui, &reference.path).await?;
    let written_out = match texts {
        [only] => CallText::parse(only),
        _ => None,
    };
    let texts = texts.iter().map(String::as_str).collect();
    let export = reference.export.as_deref();
    let (task, call) = match written_out {
        None => (get(client, &source, export).await?, None),
        Some(call) if export.is_some() => {
            let task = get(client, &source, export).await?;
            let is_meant = task.is_meant_by(call.function) && !takes_text_first(&task.signature);
            (task, is_meant.then_some(call))
        }
        Some(call) => match get(client, &source, Some(call.function)).await {
            Ok(task) if task.is_program => (task, None),
            Ok(task) => (task, Some(call)),
            Err(problem) => match get(client, &source, None).await {
                Ok(task) if takes_text_first(&task.signature) || task.is_program => (task, None),
                _ => return Err(problem),
            },
        },
    };
    let texts = call.map_or(texts, |call| call.arguments);
    Ok(RemoteCall { task, texts })
}

async fn get(client: &Client, source: &str, export: Option<&str>) -> Result<RemoteTask, Problem> {
    let reference = export.map_or_else(|| source.to_owned(), |export| format!("{source}#{export}"));
    let detail: TaskDetailObject = client.call(&Request::get(&["tasks", &reference])).await?;
    if let Some(because) = detail.not_runnable_because {
        let problem = format!("{reference} cannot be run by the server: {because}");
        return Err(Problem::new(ErrorKind::Invalid, problem));
    }
    let signature = detail.signature();
    let TaskDetailObject { task: key, export, program: is_program, .. } = detail;
    Ok(RemoteTask { key, source: source.to_owned(), export, signature, is_program })
}

impl RemoteTask {
    /// Whether a text refers to its export.
    pub(super) fn is_meant_by(&self, text: &str) -> bool {
        // The name of a function has no dot.
        let path = match self.export.rsplit_once('.') {
            Some((interface, function)) => ExportPath::in_interface(interface, function),
            None => ExportPath::top_level(&self.export),
        };
        self.export == text || path.is_meant_by(text)
    }
}
