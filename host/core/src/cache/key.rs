//! The key of a cached result: a hash of the facts that a policy names.

use std::fmt::{self, Display, Write};

use sha2::{Digest as _, Sha256};

use crate::{CachePolicy, Digest, Filled, FlowRun, TaskKey};

/// Separates this hash from every other use of SHA-256, and this encoding from earlier and later ones.
const DOMAIN: &[u8] = b"hostel cache key\0v2\0";

/// The same for the records of transactions.
const TRANSACTION_DOMAIN: &[u8] = b"hostel transaction\0v1\0";

/// The same for keys at a place.
const PLACE_DOMAIN: &[u8] = b"hostel place\0v1\0";

/// A bit beside those of the policy's facts, set if there are circumstances. No policy has this bit.
const HAS_CIRCUMSTANCES: u8 = 1 << 7;

/// The key under which a result is stored.
///
/// SHA-256 over, in this order, with every number and length as 8 bytes little-endian:
///
/// 1. the domain `hostel cache key\0v2\0`;
/// 2. one byte of facts: bit 0 for `inputs`, 1 for `task-source`, 2 for `run-id`, 3 for `flow-parameters`, 4 for
///    `observed`, 5 for a user's template, and bit 7 if there are circumstances;
/// 3. unless a user's template is the only fact: the component's digest (32 bytes), and the export path as text, preceded
///    by its length;
/// 4. if there are circumstances, which always count: their number, then each as text, preceded by its length, in byte
///    order, without duplicates ([`KeyBase::new`]);
/// 5. if inputs count: their number, then the canonical bytes of each, preceded by their length; for an input that the
///    policy leaves out only a length of 2^64 - 1, which is impossible for bytes;
/// 6. if the flow run counts: its id (16 bytes);
/// 7. if its parameters count: their number, then name and value of each, a length before both, sorted by name;
/// 8. if a user's template counts: its text with the inputs filled in, preceded by its length.
///
/// Every part has a fixed or declared length, so two different lists of facts never have the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Digest);

/// The hashed common part of the keys of all runs of a task. Costs a hundred bytes.
#[derive(Clone, Debug)]
pub struct KeyBase {
    policy: CachePolicy,
    hash: Sha256,
}

/// The facts about a run, of which the policy selects some.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// The canonical bytes of the inputs, one for each parameter, in order; `None` for those that the policy leaves out.
    pub inputs: &'a [Option<Vec<u8>>],
    /// The flow run it belongs to.
    pub flow: Option<&'a FlowRun>,
    /// The user's key, filled in.
    pub user_key: Option<Filled<'a>>,
}

impl KeyBase {
    /// The base of a task's keys, or `None` if the policy caches nothing.
    ///
    /// `circumstances` are facts beyond the inputs that can change a result, each as text with its kind before it, such as
    /// `http example.org:8080` and `clock fixed:2026-01-01T00:00:00Z`: grants, and the choice of clock and randomness.
    pub fn new(policy: &CachePolicy, task: &TaskKey, circumstances: &[String]) -> Option<Self> {
        if policy.is_none() {
            return None;
        }
        let mut circumstances: Vec<_> = circumstances.iter().collect();
        circumstances.sort_unstable();
        circumstances.dedup();
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        hash.update([policy.bits() | if circumstances.is_empty() { 0 } else { HAS_CIRCUMSTANCES }]);
        if !policy.is_only_key() {
            hash.update(task.component.as_bytes());
            update_sized(&mut hash, task.export.to_string().as_bytes());
        }
        if !circumstances.is_empty() {
            hash.update(length(circumstances.len()));
            circumstances.iter().for_each(|fact| update_sized(&mut hash, fact.as_bytes()));
        }
        Some(Self { policy: policy.clone(), hash })
    }

    /// The key of one run, or `None` if the policy names a fact that does not exist ([`CachePolicy::check`] detects that).
    /// Costs one hash of the facts.
    pub fn key(&self, facts: &RunFacts<'_>) -> Option<CacheKey> {
        let Self { policy, hash } = self;
        let mut hash = hash.clone();
        if policy.includes(&CachePolicy::INPUTS) {
            update_inputs(&mut hash, facts.inputs);
        }
        if policy.includes(&CachePolicy::RUN_ID) {
            hash.update(facts.flow?.id().as_bytes());
        }
        if policy.includes(&CachePolicy::FLOW_PARAMETERS) {
            update_parameters(&mut hash, facts.flow?);
        }
        if policy.has_key() {
            update_written(&mut hash, facts.user_key.filter(|text| !text.is_too_long())?);
        }
        Some(CacheKey(Digest::from_bytes(hash.finalize().into())))
    }
}

impl CacheKey {
    /// The key for the record of a transaction with this key: SHA-256 over the domain
    /// `hostel transaction\0v1\0` and the key as text.
    pub fn of_transaction(key: &str) -> Self {
        let hash = Sha256::new_with_prefix(TRANSACTION_DOMAIN).chain_update(key);
        Self(Digest::from_bytes(hash.finalize().into()))
    }

    /// A common key of the runs with this key that also see the same `place`: SHA-256 over the domain
    /// `hostel place\0v1\0`, the key and the place.
    pub fn at(&self, place: &Digest) -> Self {
        let hash = Sha256::new_with_prefix(PLACE_DOMAIN).chain_update(self.as_bytes());
        Self(Digest::from_bytes(hash.chain_update(place.as_bytes()).finalize().into()))
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key with the 32 bytes that [`CacheKey::as_bytes`] returned.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }
}

impl Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

fn update_inputs(hash: &mut Sha256, inputs: &[Option<Vec<u8>>]) {
    hash.update(length(inputs.len()));
    inputs.iter().for_each(|input| match input {
        Some(input) => update_sized(hash, input),
        None => hash.update(u64::MAX.to_le_bytes()),
    });
}

fn update_parameters(hash: &mut Sha256, flow: &FlowRun) {
    let parameters = flow.parameters();
    hash.update(length(parameters.len()));
    parameters.for_each(|(name, value)| {
        update_sized(hash, name.as_bytes());
        update_sized(hash, value.as_bytes());
    });
}

/// Hashes what `written` displays as [`update_sized`] would, without having the whole text in memory.
fn update_written(hash: &mut Sha256, written: impl Display) {
    let mut counted = Length(0);
    // Neither can fail.
    let _ = write!(counted, "{written}");
    hash.update(counted.0.to_le_bytes());
    let _ = write!(Hashed(hash), "{written}");
}

/// Counts the bytes that are written to it.
struct Length(u64);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

/// Hashes what is written to it.
struct Hashed<'a>(&'a mut Sha256);

impl Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

fn update_sized(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(length(bytes.len()));
    hash.update(bytes);
}

fn length(length: usize) -> [u8; 8] {
    (length as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExportPath, NameTemplate, RunId, Signature, Type, Value};

    /// The facts about a run, abbreviated.
    #[derive(Clone)]
    struct Facts {
        component: &'static [u8],
        export: &'static str,
        inputs: Vec<Option<&'static [u8]>>,
        circumstances: Vec<&'static str>,
        flow: Option<FlowRun>,
        user_key: Option<&'static str>,
    }

    fn facts() -> Facts {
        let flow = FlowRun::new(RunId::from_bytes([5; 16])).parameter("day", 1).parameter("a", true);
        Facts {
            component: b"component",
            export: "add",
            inputs: vec![Some(b"\x01"), Some(b"two")],
            circumstances: vec![],
            flow: Some(flow),
            user_key: Some("user 7"),
        }
    }

    fn key(policy: &CachePolicy, facts: &Facts) -> Option<CacheKey> {
        let Facts { component, export, inputs, circumstances, flow, user_key } = facts;
        let task = TaskKey { component: Digest::of(component), export: ExportPath::top_level(export) };
        let inputs: Vec<_> = inputs.iter().map(|input| input.map(<[u8]>::to_vec)).collect();
        let circumstances: Vec<_> = circumstances.iter().map(|&fact| fact.to_owned()).collect();
        let no_inputs = Signature::new([] as [(&str, Type); 0], None);
        let user_key = user_key.map(|text| NameTemplate::parse(text, &no_inputs).unwrap());
        let user_key = user_key.as_ref().map(|template| template.filled(&[]));
        let facts = RunFacts { inputs: &inputs, flow: flow.as_ref(), user_key };
        KeyBase::new(policy, &task, &circumstances)?.key(&facts)
    }

    fn everything() -> CachePolicy {
        CachePolicy::AUTO + CachePolicy::DEFAULT + CachePolicy::FLOW_PARAMETERS + CachePolicy::key("")
    }

    #[test]
    fn the_encoding_is_as_recorded() {
        let recorded = |policy: CachePolicy, circumstances: &[&'static str]| {
            key(&policy, &Facts { circumstances: circumstances.to_vec(), ..facts() }).unwrap().to_string()
        };
        let http = ["http *.example.org:8080", "clock fixed:2026-01-01T00:00:00Z"];
        insta::assert_snapshot!(recorded(CachePolicy::AUTO, &[]), @"46b087586947cbb4c990ee9367cf2beaac4874268efdae6b2dd6ee36f5da3d72");
        insta::assert_snapshot!(recorded(CachePolicy::AUTO, &http), @"f249ce2b77b85afb07c8b2b392c7170ab99ca9f7126ad9d6eb546221daa8935c");
        insta::assert_snapshot!(recorded(CachePolicy::DEFAULT, &[]), @"4fd795a1c71d14c42f2c30f8424a56b125510c2d81ad2f5c13c517568c029672");
        insta::assert_snapshot!(recorded(CachePolicy::key("user {a}"), &[]), @"94f4544e7459217e01d97e2b0c76752621a1830ef096e735d96d5e1a80c46002");
        insta::assert_snapshot!(recorded(everything(), &http), @"f7989319daa9d3d78694e13d0eb240a548c374a10d4ce7365b2d9dc074ab80c6");
    }

    #[test]
    fn a_user_key_is_hashed_as_its_text() {
        let signature = Signature::new([("name", Type::String), ("size", Type::U32)], None);
        let inputs = [Value::String("x".repeat(100_000)), Value::U32(7)];
        let template = NameTemplate::parse("{name} {size}{name}", &signature).unwrap();
        let (policy, long) = (CachePolicy::key(template.text()), "x".repeat(100_000));
        let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
        let facts = RunFacts { inputs: &[], flow: None, user_key: Some(template.filled(&inputs)) };
        let key = KeyBase::new(&policy, &task, &[]).unwrap().key(&facts).unwrap();
        let text = format!("{long} 7{long}");
        let bytes = [b"hostel cache key\0v2\0\x20".as_slice(), &length(text.len()), text.as_bytes()].concat();
        assert_eq!(key, CacheKey(Digest::of(&bytes)));
        // The literal space, and the digit.
        let most = (NameTemplate::MAX_KEY_BYTES as usize - 2) / 2;
        for (length, is_too_long) in [(most, false), (most + 1, true), (most * 100, true)] {
            let inputs = [Value::String("x".repeat(length)), Value::U32(7)];
            let facts = RunFacts { inputs: &[], flow: None, user_key: Some(template.filled(&inputs)) };
            assert_eq!(template.filled(&inputs).is_too_long(), is_too_long, "{length}");
            assert_eq!(KeyBase::new(&policy, &task, &[]).unwrap().key(&facts).is_none(), is_too_long);
        }
    }

    #[test]
    fn a_user_key_is_never_in_memory_as_a_whole() {
        /// The longest piece that is written to it, and the length of all.
        #[derive(Default)]
        struct Pieces(usize, usize);

        impl Write for Pieces {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                *self = Self(self.0.max(text.len()), self.1 + text.len());
                Ok(())
            }
        }

        let signature = Signature::new([("name", Type::String), ("names", Type::list(Type::String))], None);
        let long = "x".repeat(100_000);
        let names = Value::List(vec![Value::String(long.clone()); 10]);
        let inputs = [Value::String(long.clone()), names];
        // The most placeholders that a template may have.
        let text = "{name}{names}".repeat(NameTemplate::MAX_PLACES / 2);
        let template = NameTemplate::parse(&text, &signature).unwrap();
        let mut written = Pieces::default();
        write!(written, "{}", template.filled(&inputs)).unwrap();
        assert!(written.1 > NameTemplate::MAX_PLACES / 2 * 11 * long.len(), "{}", written.1);
        assert!(written.0 <= long.len(), "{}", written.0);
        let one_more = format!("{text}{{name}}");
        let error = NameTemplate::parse(&one_more, &signature).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{error}");
    }

    #[test]
    fn an_input_that_is_left_out_is_a_length_that_no_input_has() {
        let key = key(&CachePolicy::INPUTS, &Facts { inputs: vec![None, Some(b"")], ..facts() });
        let mut bytes = b"hostel cache key\0v2\0\x01".to_vec();
        bytes.extend(Digest::of(b"component").as_bytes());
        bytes.extend(b"\x03\0\0\0\0\0\0\0add");
        bytes.extend(b"\x02\0\0\0\0\0\0\0");
        bytes.extend([0xff; 8]);
        bytes.extend([0; 8]);
        assert_eq!(key, Some(CacheKey(Digest::of(&bytes))));
    }

    #[test]
    fn the_encoding_is_as_described() {
        let key =
            key(&everything(), &Facts { circumstances: vec!["http b", "http a:80", "http b"], ..facts() });
        let mut bytes = b"hostel cache key\0v2\0\xbf".to_vec();
        bytes.extend(Digest::of(b"component").as_bytes());
        bytes.extend(b"\x03\0\0\0\0\0\0\0add");
        bytes.extend(b"\x02\0\0\0\0\0\0\0");
        bytes.extend(b"\x09\0\0\0\0\0\0\0http a:80");
        bytes.extend(b"\x06\0\0\0\0\0\0\0http b");
        bytes.extend(b"\x02\0\0\0\0\0\0\0");
        bytes.extend(b"\x01\0\0\0\0\0\0\0\x01");
        bytes.extend(b"\x03\0\0\0\0\0\0\0two");
        bytes.extend([5; 16]);
        bytes.extend(b"\x02\0\0\0\0\0\0\0");
        bytes.extend(b"\x01\0\0\0\0\0\0\0a\x04\0\0\0\0\0\0\0true");
        bytes.extend(b"\x03\0\0\0\0\0\0\0day\x01\0\0\0\0\0\0\x001");
        bytes.extend(b"\x06\0\0\0\0\0\0\0user 7");
        assert_eq!(key.unwrap().as_bytes(), Digest::of(&bytes).as_bytes());
    }

    #[test]
    fn neither_the_order_of_circumstances_counts_nor_how_often_they_are_given() {
        let key = |circumstances: &[&'static str]| {
            key(&CachePolicy::INPUTS, &Facts { circumstances: circumstances.to_vec(), ..facts() })
        };
        assert_eq!(key(&["http a.org", "http b.org:*"]), key(&["http b.org:*", "http a.org", "http a.org"]));
    }

    #[test]
    fn every_fact_that_counts_makes_another_key() {
        let auto = CachePolicy::AUTO;
        let with = |change: &dyn Fn(&mut Facts)| {
            let mut changed = facts();
            change(&mut changed);
            changed
        };
        let inputs = |inputs: &[Option<&'static [u8]>]| Facts { inputs: inputs.to_vec(), ..facts() };
        let flow = |flow: FlowRun| Facts { flow: Some(flow), ..facts() };
        let id = RunId::from_bytes([5; 16]);
        let parameters = CachePolicy::FLOW_PARAMETERS;
        let keys = [
            key(&auto, &facts()),
            key(&auto, &with(&|facts| facts.component = b"another")),
            key(&auto, &with(&|facts| facts.export = "sub")),
            key(&auto, &inputs(&[Some(b"two"), Some(b"\x01")])),
            key(&auto, &inputs(&[Some(b"\x01"), None])),
            key(&auto, &inputs(&[None, Some(b"\x01")])),
            key(&auto, &inputs(&[None, None])),
            key(&auto, &inputs(&[Some(b"\x01")])),
            key(&auto, &inputs(&[Some(b"\x01two")])),
            key(&auto, &inputs(&[Some(b"\x01two"), Some(b"")])),
            key(&auto, &inputs(&[Some(b""), Some(b"\x01two")])),
            key(&auto, &with(&|facts| facts.circumstances = vec!["http a.org"])),
            key(&auto, &with(&|facts| facts.circumstances = vec!["http b.org"])),
            key(&auto, &with(&|facts| facts.circumstances = vec!["http a.org", "http b.org"])),
            key(&CachePolicy::TASK_SOURCE, &facts()),
            key(&CachePolicy::TASK_SOURCE, &with(&|facts| facts.circumstances = vec!["http a.org"])),
            key(&CachePolicy::INPUTS, &facts()),
            // C03: a task never gets another task's result, unless the key is the user's own.
            key(&CachePolicy::INPUTS, &with(&|facts| facts.export = "sub")),
            key(&CachePolicy::INPUTS, &with(&|facts| facts.component = b"another")),
            key(&(CachePolicy::INPUTS + CachePolicy::TASK_SOURCE), &facts()),
            key(&CachePolicy::DEFAULT, &facts()),
            key(&CachePolicy::DEFAULT, &flow(FlowRun::new(RunId::from_bytes([6; 16])))),
            key(&CachePolicy::RUN_ID, &facts()),
            key(&parameters, &facts()),
            key(&parameters, &flow(FlowRun::new(id))),
            key(&parameters, &flow(FlowRun::new(id).parameter("day", "1"))),
            key(&parameters, &flow(FlowRun::new(id).parameter("day", 1))),
            key(&parameters, &flow(FlowRun::new(id).parameter("da", "y1"))),
            key(&CachePolicy::key("x"), &facts()),
            key(&CachePolicy::key("x"), &with(&|facts| facts.user_key = Some("user 8"))),
            key(&CachePolicy::key("x"), &with(&|facts| facts.circumstances = vec!["http a.org"])),
            key(&(CachePolicy::key("x") + CachePolicy::TASK_SOURCE), &facts()),
            key(&everything(), &facts()),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(one.is_some(), "{index}");
            assert!(!keys[..index].contains(one), "{index}");
        }
    }

    #[test]
    fn a_key_at_another_place_is_another() {
        let key = CacheKey::from_bytes([1; 32]);
        let [here, there] = [b"here".as_slice(), b"there"].map(|place| key.at(&Digest::of(place)));
        assert!(here != there && here != key && here == key.at(&Digest::of(b"here")));
        assert_ne!(here, CacheKey::from_bytes([2; 32]).at(&Digest::of(b"here")));
    }

    #[test]
    fn no_policy_gives_no_key() {
        assert_eq!(key(&CachePolicy::NONE, &facts()), None);
    }

    #[test]
    fn facts_that_do_not_count_change_nothing() {
        let bare = Facts { inputs: vec![], flow: None, user_key: None, ..facts() };
        let source = CachePolicy::TASK_SOURCE;
        assert_eq!(key(&source, &facts()), key(&source, &bare));
        let another = Facts { component: b"another", export: "sub", inputs: vec![], flow: None, ..facts() };
        assert_eq!(key(&CachePolicy::key("x"), &facts()), key(&CachePolicy::key("x"), &another));
        let other_run = FlowRun::new(RunId::from_bytes([6; 16])).parameter("a", true).parameter("day", 1);
        let other_run = Facts { flow: Some(other_run), ..facts() };
        let parameters = CachePolicy::FLOW_PARAMETERS;
        assert_eq!(key(&parameters, &facts()), key(&parameters, &other_run));
    }
}
