//! Which hosts a request may be for: the names under which the server is meant to be reached. A page that a browser was made to load
//! from this address under another name (DNS rebinding) gets nothing.

use std::net::SocketAddr;

use http::header::HOST;
use http::{HeaderMap, Uri};

use crate::problem::{Answer, ApiProblem, Code};

/// The hosts, with their ports.
#[derive(Clone, Debug)]
pub(crate) struct HostNames {
    allowed: Vec<String>,
    /// The origins of the server's own pages.
    origins: Vec<String>,
}

/// A public address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid public address {text:?}: expected http://HOST[:PORT] or https://HOST[:PORT], without a path"
)]
pub struct PublicUrlError {
    text: String,
}

impl HostNames {
    /// The hosts of a server that listens on this address, and is reached under a public one.
    pub(crate) fn new(address: SocketAddr, public_url: Option<&str>) -> Result<Self, PublicUrlError> {
        let port = address.port();
        let local = ["localhost", "127.0.0.1", "[::1]"];
        let mut allowed: Vec<_> = local.iter().map(|host| format!("{host}:{port}")).collect();
        if port == 80 {
            allowed.extend(local.map(str::to_owned));
        }
        if !address.ip().is_unspecified() {
            allowed.push(address.to_string());
        }
        let mut origins: Vec<_> = allowed.iter().map(|host| format!("http://{host}")).collect();
        if let Some(text) = public_url {
            let (origin, host) = public(text)?;
            origins.push(origin);
            allowed.push(host);
        }
        allowed.sort();
        allowed.dedup();
        Ok(Self { allowed, origins })
    }

    /// The origins of the server's own pages, such as `http://127.0.0.1:4700`.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// Refuses a request for another host.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Answer<()> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => Some(host.to_str().unwrap_or_default()),
            (None, _) | (Some(_), Some(_)) => None,
        };
        let is_allowed = |text: &str| self.allowed.iter().any(|host| host.eq_ignore_ascii_case(text));
        let of_target = uri.authority().is_none_or(|authority| is_allowed(authority.as_str()));
        if of_target && host.is_some_and(is_allowed) {
            return Ok(());
        }
        let what = match host {
            None if headers.contains_key(HOST) => "the request has several headers Host".to_owned(),
            None | Some("") => "the request names no host".to_owned(),
            Some(host) => {
                format!("the request is for the host {:?}", host.chars().take(100).collect::<String>())
            }
        };
        let problem =
            ApiProblem::new(Code::WrongHost, format!("{what}: expected one of {}", self.allowed.join(", ")));
        Err(problem.hint("start the server with --public-url for another name"))
    }
}

/// The origin and the host of a public address.
fn public(text: &str) -> Result<(String, String), PublicUrlError> {
    let wrong = || PublicUrlError { text: text.chars().take(200).collect() };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme)).ok_or_else(wrong)?;
    let authority =
        uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    if !["", "/"].contains(&uri.path()) || uri.query().is_some() {
        return Err(wrong());
    }
    let host = authority.as_str().to_ascii_lowercase();
    Ok((format!("{scheme}://{host}"), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(names: &HostNames, target: &str, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        hosts.iter().for_each(|host| _ = headers.append(HOST, host.parse().unwrap()));
        names.check(&target.parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn only_own_names_are_served() {
        let names =
            HostNames::new("127.0.0.1:4700".parse().unwrap(), Some("https://Hostel.example")).unwrap();
        for host in ["127.0.0.1:4700", "localhost:4700", "LOCALHOST:4700", "[::1]:4700", "hostel.example"] {
            assert!(status(&names, "/", &[host]), "{host}");
        }
        for host in [
            "localhost",
            "localhost:80",
            "evil.example",
            "127.0.0.1:4700.evil.example",
            "",
            "hostel.example:1",
        ] {
            assert!(!status(&names, "/", &[host]), "{host}");
        }
        assert!(!status(&names, "/", &[]));
        assert!(!status(&names, "/", &["localhost:4700", "localhost:4700"]));
        assert!(!status(&names, "http://evil.example/", &["localhost:4700"]));
        assert!(status(&names, "http://localhost:4700/", &["localhost:4700"]));
    }

    #[test]
    fn a_public_address_has_no_path() {
        let address = "0.0.0.0:1".parse().unwrap();
        for wrong in
            ["hostel.example", "ftp://a.b", "https://a.b/path", "https://a.b/?x", "https://u@a.b", ""]
        {
            let error = HostNames::new(address, Some(wrong)).unwrap_err();
            assert!(error.to_string().contains("expected http://HOST"), "{wrong}");
        }
        let names = HostNames::new(address, Some("https://a.b:8443/")).unwrap();
        assert!(status(&names, "/", &["a.b:8443"]) && !status(&names, "/", &["0.0.0.0:1"]));
        assert!(names.origins().contains(&"https://a.b:8443".to_owned()));
    }
}
