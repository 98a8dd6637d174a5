//! The options of a task on the command line, made from [`TaskSpec::KEYS`].

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use hostel::{OptionKey, TaskSpec, ValueForm};

use super::{Place, TaskOptions};

/// Options of a task that only `hostel.toml` has.
const ONLY_IN_FILES: [&str; 4] = ["tags", "priority", "version", "description"];

/// The options that the command line has.
fn keys() -> impl Iterator<Item = &'static OptionKey> {
    TaskSpec::KEYS.iter().filter(|key| !ONLY_IN_FILES.contains(&key.name))
}

impl Args for TaskOptions {
    fn augment_args(command: Command) -> Command {
        command.args(keys().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TaskOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut options = Self::default();
        options.update_from_arg_matches(matches)?;
        Ok(options)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for key in keys() {
            let place = Place { name: format!("--{}", key.name), base: None };
            for text in texts(key, matches) {
                let given = self.give(key, text, place.clone());
                given.map_err(|error| Error::raw(ErrorKind::InvalidValue, error))?;
            }
        }
        Ok(())
    }
}

/// The values of an option.
fn texts(key: &OptionKey, matches: &ArgMatches) -> Vec<String> {
    match key.form {
        ValueForm::Flag => matches.get_flag(key.name).then(|| true.to_string()).into_iter().collect(),
        ValueForm::Number | ValueForm::Text | ValueForm::List | _ => {
            matches.get_many(key.name).into_iter().flatten().cloned().collect()
        }
    }
}

fn argument(key: &'static OptionKey) -> Arg {
    let argument = Arg::new(key.name).long(key.name).help(help(key)).help_heading(key.section);
    if key.form == ValueForm::Flag {
        return argument.action(ArgAction::SetTrue);
    }
    let action = if key.repeats { ArgAction::Append } else { ArgAction::Set };
    let argument = argument.action(action).value_name(value_name(key)).value_parser(move |text: &str| {
        // clap would show the text of a wrong secret, so another check follows.
        let checked = if key.is_secret() { Ok(()) } else { key.check(text) };
        checked.map(|()| text.to_owned())
    });
    // So that the error names the expected values.
    match key.value {
        "TIME" => argument.allow_hyphen_values(true),
        _ => argument.allow_negative_numbers(key.form == ValueForm::Number),
    }
}

/// The placeholder for the value. Variables have a form of their own here.
fn value_name(key: &OptionKey) -> &'static str {
    if key.is_secret() { "NAME[=VALUE]" } else { key.value }
}

fn help(key: &OptionKey) -> String {
    let own = if key.is_secret() {
        ": NAME=VALUE, or NAME for its value in this command's environment"
    } else {
        ""
    };
    let repeats = if key.repeats { "; can be given several times" } else { "" };
    let default = key.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    format!("{}{own}{repeats}{default}", key.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_has_every_option_except_those_that_only_files_have() {
        let command = TaskOptions::augment_args(Command::new("hostel"));
        let mut options: Vec<_> = command.get_arguments().filter_map(Arg::get_long).collect();
        options.extend(ONLY_IN_FILES);
        assert_eq!(options.len(), TaskSpec::KEYS.len());
        assert!(TaskSpec::KEYS.iter().all(|key| options.contains(&key.name)));
    }
}
