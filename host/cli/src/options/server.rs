//! The server that a command is for, and the options that cannot be used with one. The doc comments are the help.

use std::env;

use clap::Args;

use crate::problem::Problem;
use crate::ui::Ui;

/// The server that a command is for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServerOptions {
    /// Run the command on this server, such as http://127.0.0.1:4700; '' means this machine. The token is read from
    /// HOSTEL_TOKEN or, for a local server, from the data directory [env: HOSTEL_SERVER]
    #[arg(long, value_name = "URL", help_heading = "Server")]
    server: Option<String>,
}

/// A server, and where it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedServer {
    /// Its address, as written.
    pub(crate) url: String,
    /// `--server` or `HOSTEL_SERVER`.
    pub(crate) place: &'static str,
}

/// An option that cannot be used with a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unfit {
    /// Its name, with the dashes.
    pub(crate) option: &'static str,
    /// Whether it is given.
    pub(crate) is_given: bool,
    /// Why not.
    pub(crate) because: &'static str,
}

impl ServerOptions {
    /// The server; `None` for this machine.
    pub(crate) fn named(&self) -> Option<NamedServer> {
        let of_option = self.server.clone().map(|url| NamedServer { url, place: "--server" });
        of_option.or_else(of_variable).filter(|server| !server.url.is_empty())
    }
}

fn of_variable() -> Option<NamedServer> {
    let url = env::var_os("HOSTEL_SERVER")?;
    Some(NamedServer { url: url.to_string_lossy().into_owned(), place: "HOSTEL_SERVER" })
}

/// Notes that a command which no server executes ignores `HOSTEL_SERVER`, if it is set.
pub(crate) fn note_local(ui: &Ui) {
    if of_variable().is_some_and(|server| !server.url.is_empty()) {
        ui.note("this command acts on this machine, not on HOSTEL_SERVER");
    }
}

impl NamedServer {
    /// Refuses the first option that cannot be used with it.
    pub(crate) fn check(&self, options: impl IntoIterator<Item = Unfit>) -> Result<(), Problem> {
        let Some(Unfit { option, because, .. }) = options.into_iter().find(|option| option.is_given) else {
            return Ok(());
        };
        // Not its address, which may have a password.
        let place = match self.place {
            "--server" => String::new(),
            place => format!(" (set by {place})"),
        };
        let problem = format!("{option} cannot be used with a server{place}: {because}");
        let hint = format!("leave {option} out, or use --server '' to do it on this machine");
        Err(Problem::invalid(problem).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_option_that_cannot_be_used_is_named() {
        let server = NamedServer { url: "http://localhost:1".to_owned(), place: "--server" };
        let option = |option, is_given| Unfit { option, is_given, because: "why" };
        assert!(server.check([option("--a", false)]).is_ok());
        let problem = server.check([option("--a", false), option("--b", true)]).unwrap_err();
        assert_eq!(problem.to_string(), "--b cannot be used with a server: why");
    }
}
