//! The cache that machines share. The doc comments are the help.

use std::env;

use clap::Args;
use hostel::{HostBuilder, RemoteCache, RemoteCacheError};

use crate::options::server::Unfit;
use crate::problem::Problem;

/// The prefixes of the variables with credentials and endpoints of a bucket.
const VARIABLES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// The options for the remote cache.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cache")]
pub(crate) struct RemoteCacheOptions {
    /// Share cached results with other machines, through s3://BUCKET/PREFIX, gs://…, az://… or file:///DIRECTORY;
    /// credentials and endpoints come from the variables AWS_*, GOOGLE_*, AZURE_*
    #[arg(long, value_name = "URL")]
    remote_cache: Option<String>,

    /// Use no remote cache, even if `hostel.toml` names one
    #[arg(long, conflicts_with = "remote_cache")]
    no_remote_cache: bool,
}

impl RemoteCacheOptions {
    /// With a server.
    pub(crate) fn unfit(&self) -> [Unfit; 2] {
        let because = "the server uses the remote cache that it was started with";
        let unfit = |option, is_given| Unfit { option, is_given, because };
        [
            unfit("--remote-cache", self.remote_cache.is_some()),
            unfit("--no-remote-cache", self.no_remote_cache),
        ]
    }
}

/// The remote cache in a file.
#[derive(Clone, Debug)]
pub(crate) struct NamedCache {
    pub(crate) url: String,
    /// The place in the file.
    pub(crate) place: String,
}

impl NamedCache {
    /// The URL without its secret parts: user, password and query.
    pub(crate) fn shown(&self) -> String {
        let (url, is_cut) = self.url.split_once('?').map_or((&*self.url, false), |(url, _)| (url, true));
        let mut shown = match url.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let host =
                    authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("…@{host}"));
                format!("{scheme}://{host}{path}")
            }
            None => url.to_owned(),
        };
        if is_cut {
            shown.push_str("?…");
        }
        shown
    }
}

impl RemoteCacheOptions {
    /// The host with the remote cache of the option, or else of the file.
    pub(crate) fn apply(
        &self,
        host: HostBuilder,
        in_file: Option<&NamedCache>,
    ) -> Result<HostBuilder, Problem> {
        if self.no_remote_cache {
            return Ok(host);
        }
        match (&self.remote_cache, in_file) {
            (Some(url), _) => open(url).map_err(|problem| problem.within("--remote-cache")),
            (None, Some(NamedCache { url, place })) => open(url).map_err(|problem| problem.within(place)),
            (None, None) => return Ok(host),
        }
        .map(|cache| host.remote_cache(cache))
    }
}

fn open(url: &str) -> Result<RemoteCache, Problem> {
    let variables = env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        VARIABLES.iter().any(|prefix| name.starts_with(prefix)).then_some((name, value))
    });
    RemoteCache::from_url(url, variables).map_err(|error| {
        let is_of_credentials =
            matches!(error, RemoteCacheError::Password | RemoteCacheError::Settings { .. });
        let hint = is_of_credentials.then(|| credentials_hint(url)).flatten();
        Problem::of(error.kind(), &error).hints_of(hint)
    })
}

/// A hint at the variables with the credentials for a URL, if it needs any.
fn credentials_hint(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once("://")?;
    let (usual, prefix) = match scheme {
        "file" => return None,
        "gs" => ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_"),
        "az" | "adl" | "azure" | "abfs" | "abfss" => {
            ("AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY", "AZURE_")
        }
        _ => ("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "AWS_"),
    };
    Some(format!(
        "credentials come from the environment: {usual}, or other variables that begin with {prefix}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let check = |url: &str, expected: &str| {
            let cache = NamedCache { url: url.to_owned(), place: String::new() };
            assert_eq!(cache.shown(), expected, "{url}");
        };
        check("s3://results/hostel", "s3://results/hostel");
        check("s3://key:secret@results/a@b", "s3://…@results/a@b");
        check("az://results?sig=secret", "az://results?…");
        check("file:///srv/results", "file:///srv/results");
        check("nothing", "nothing");
    }
}
