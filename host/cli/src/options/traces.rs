//! Where a server sends spans: the environment variables of OpenTelemetry.

use std::env;
use std::time::Duration;

use hostel_server::{TraceExport, TraceSampling};
use reqwest::header::HeaderName;

use crate::problem::Problem;

/// The longest time for a request to the collector.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Where spans are sent by the environment; `None` if nothing asks for it.
///
/// # Errors
///
/// [`Problem`] for a variable that cannot be read. It shows the value, except for headers.
pub(crate) fn export() -> Result<Option<TraceExport>, Problem> {
    let variables = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    Variables(&variables).export()
}

/// Finds variables. An empty one counts as none, as the specification has it.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The first of these that has a value, with its name.
    fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    fn export(&self) -> Result<Option<TraceExport>, Problem> {
        if self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        const FOR_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let Some((name, endpoint)) = self.first(&[FOR_TRACES, "OTEL_EXPORTER_OTLP_ENDPOINT"]) else {
            return Ok(None);
        };
        match self.get("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(unknown("OTEL_TRACES_EXPORTER", other, "otlp or none")),
        }
        let protocols = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        if let Some((name, other)) = self.first(&protocols).filter(|(_, value)| value != "http/protobuf") {
            return Err(unknown(name, &other, "http/protobuf"));
        }
        // The general address has no path of its own.
        let path = if name == FOR_TRACES { "" } else { "/v1/traces" };
        let base = if path.is_empty() { endpoint.as_str() } else { endpoint.trim_end_matches('/') };
        let invalid = |error| Problem::of(hostel_server::TraceExportError::kind(&error), &error).within(name);
        // What is wrong with the address as it was given is said of that, without the path.
        let export = TraceExport::new(&endpoint).and_then(|_| TraceExport::new(&format!("{base}{path}")));
        let export = export.map_err(invalid)?.timeout(self.timeout()?).sampling(self.sampling()?);
        self.check_headers()?;
        self.with_resource(export).map(Some)
    }

    fn timeout(&self) -> Result<Duration, Problem> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
        let Some((name, value)) = self.first(&names) else { return Ok(TraceExport::DEFAULT_TIMEOUT) };
        let time = value.parse().ok().map(Duration::from_millis);
        let time = time.filter(|time| (Duration::from_millis(1)..=LONGEST).contains(time));
        time.ok_or_else(|| unknown(name, &value, "milliseconds, from 1 to 3600000"))
    }

    fn sampling(&self) -> Result<TraceSampling, Problem> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        let Some(name) = self.get(NAME) else { return Ok(TraceSampling::default()) };
        let (follows_parent, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name.as_str()),
        };
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.ratio()?,
            _ => {
                let expected = "always_on, always_off or traceidratio, or one of them after parentbased_";
                return Err(unknown(NAME, &name, expected));
            }
        };
        Ok(TraceSampling { follows_parent, ratio })
    }

    fn ratio(&self) -> Result<f64, Problem> {
        const NAME: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(value) = self.get(NAME) else { return Ok(1.0) };
        let ratio = value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| unknown(NAME, &value, "a number from 0 to 1"))
    }

    /// The library that sends spans reads headers itself, and leaves out what it cannot read. A collector would refuse all spans then.
    fn check_headers(&self) -> Result<(), Problem> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
        let Some((name, value)) = self.first(&names) else { return Ok(()) };
        for (index, header) in value.split(',').enumerate().filter(|(_, header)| !header.trim().is_empty()) {
            let parts = header.split_once('=');
            let is_header = parts.is_some_and(|(name, value)| {
                let is_plain = value.trim().bytes().all(|byte| (b' '..=b'~').contains(&byte));
                is_plain && name.trim().parse::<HeaderName>().is_ok()
            });
            if !is_header {
                let place = index + 1;
                return Err(Problem::invalid(format!(
                    "{name}: header {place} (not shown, because it may be a secret): expected NAME=VALUE"
                )));
            }
        }
        Ok(())
    }

    /// Adds the name of the service and its attributes.
    fn with_resource(&self, mut export: TraceExport) -> Result<TraceExport, Problem> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        const SERVICE: &str = "service.name";
        let mut service = self.get("OTEL_SERVICE_NAME");
        let attributes = self.get(NAME).unwrap_or_default();
        for attribute in attributes.split(',').map(str::trim).filter(|attribute| !attribute.is_empty()) {
            let pair = attribute.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            let pair = pair.filter(|(name, _)| !name.is_empty());
            let (name, value) = pair.ok_or_else(|| unknown(NAME, attribute, "NAME=VALUE"))?;
            if name == SERVICE {
                service.get_or_insert_with(|| value.to_owned());
            } else {
                export = export.attribute(name, value);
            }
        }
        Ok(match service {
            Some(service) => export.service_name(service),
            None => export,
        })
    }
}

fn unknown(name: &str, value: &str, expected: &str) -> Problem {
    Problem::invalid(format!("{name}: invalid value {value:?}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of these variables.
    fn export(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let export = Variables(&find).export();
        let export = export.map(|export| export.map(|export| format!("{export:?}")));
        export.map_err(|problem| problem.to_string())
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn nothing_is_sent_unless_an_address_is_set() {
        let is_off = |variables: &[(&str, &str)]| assert_eq!(export(variables), Ok(None), "{variables:?}");
        is_off(&[]);
        is_off(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]);
        is_off(&[("OTEL_SERVICE_NAME", "tasks"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "no number")]);
        is_off(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]);
        is_off(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]);
    }

    #[test]
    fn variables_say_where_and_what() {
        let has = |variables: &[(&str, &str)], expected: &[&str]| {
            let text = export(variables).unwrap().unwrap();
            expected.iter().for_each(|part| assert!(text.contains(part), "{part}: {text}"));
        };
        has(
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "false"), ("OTEL_TRACES_EXPORTER", "otlp")],
            &[
                r#"endpoint: "http://127.0.0.1:4318/v1/traces""#,
                "timeout: 10s",
                r#"service_name: "hostel", attributes: []"#,
                "follows_parent: true, ratio: 1.0",
            ],
        );
        has(
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/otlp/")],
            &[r#"endpoint: "https://collector.example/otlp/v1/traces""#],
        );
        has(
            &[
                ENDPOINT,
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example/spans"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "no number"),
                ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1500"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, x-team = tasks,"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other, deployment.environment.name=test"),
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ],
            &[
                r#"endpoint: "https://collector.example/spans""#,
                "timeout: 1.5s",
                r#"service_name: "other", attributes: [("deployment.environment.name", "test")]"#,
                "follows_parent: false, ratio: 0.25",
            ],
        );
        has(
            &[ENDPOINT, ("OTEL_SERVICE_NAME", "tasks"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other")],
            &[r#"service_name: "tasks", attributes: []"#],
        );
        has(
            &[ENDPOINT, ("OTEL_TRACES_SAMPLER", "parentbased_always_off")],
            &["follows_parent: true, ratio: 0.0"],
        );
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_named() {
        let check = |name: &str, value: &str, expected: &str| {
            assert_eq!(export(&[(name, value), ENDPOINT]), Err(expected.to_owned()));
        };
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            let expected = "invalid address \"collector:4318\" of a collector: expected one such as http://127.0.0.1:4318";
            check(name, "collector:4318", &format!("{name}: {expected}"));
        }
        check(
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL: invalid value \"grpc\": expected http/protobuf",
        );
        check(
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "10s",
            "OTEL_EXPORTER_OTLP_TIMEOUT: invalid value \"10s\": expected milliseconds, from 1 to 3600000",
        );
        check(
            "OTEL_TRACES_SAMPLER",
            "xray",
            "OTEL_TRACES_SAMPLER: invalid value \"xray\": expected always_on, always_off or traceidratio, or one of them after \
             parentbased_",
        );
        check(
            "OTEL_RESOURCE_ATTRIBUTES",
            "a=b,c",
            "OTEL_RESOURCE_ATTRIBUTES: invalid value \"c\": expected NAME=VALUE",
        );
        for secret in ["x-a=1,hunter2", "x-a=1,a b=hunter2", "x-a=1,x-b=hunter2\u{e9}"] {
            check(
                "OTEL_EXPORTER_OTLP_HEADERS",
                secret,
                "OTEL_EXPORTER_OTLP_HEADERS: header 2 (not shown, because it may be a secret): expected NAME=VALUE",
            );
        }
        let ratio = [ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
        let expected = "OTEL_TRACES_SAMPLER_ARG: invalid value \"2\": expected a number from 0 to 1";
        assert_eq!(export(&ratio), Err(expected.to_owned()));
    }
}
