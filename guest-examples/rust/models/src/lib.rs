//! Nested records, exported interfaces, and names that repeat: `add` stands in three interfaces, two of
//! which are called `ops`.

use exports::hostel::{examples, more};
use hostel::examples::model_types::HyperParameters;

wit_bindgen::generate!({ path: "wit", world: "models" });

struct Models;

impl Guest for Models {
    fn train_model(dataset: Dataset, model_config: ModelConfig) -> TrainingResult {
        let score = score(&dataset.name, &model_config.name, model_config.hyper.as_ref());
        TrainingResult { dataset: dataset.name, model: model_config.name, score }
    }
}

impl examples::ops::Guest for Models {
    fn rank(mut results: Vec<TrainingResult>) -> Vec<String> {
        results.sort_by(|a, b| b.score.total_cmp(&a.score));
        results.into_iter().map(|result| result.model).collect()
    }

    fn add(a: i64, b: i64) -> i64 {
        a.saturating_add(b)
    }
}

impl examples::scores::Guest for Models {
    fn add(a: f64, b: f64) -> f64 {
        a + b
    }

    fn mean(scores: Vec<f64>) -> Option<f64> {
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

impl more::ops::Guest for Models {
    fn add(a: String, b: String) -> String {
        a + &b
    }
}

export!(Models);

/// A number from 0 up to but not including 1, to three decimals, that depends on everything given.
fn score(dataset: &str, model: &str, hyper: Option<&HyperParameters>) -> f64 {
    let mut hash = fnv1a(FNV_START, dataset.as_bytes());
    hash = fnv1a(hash, b"/");
    hash = fnv1a(hash, model.as_bytes());
    if let Some(hyper) = hyper {
        hash = fnv1a(hash, &hyper.rate.to_bits().to_le_bytes());
        hash = hyper.layers.iter().fold(hash, |hash, width| fnv1a(hash, &width.to_le_bytes()));
    }
    (hash % 1_000) as f64 / 1_000.0
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The 64-bit FNV-1a hash (Fowler, Noll and Vo): short, and the same everywhere and for ever.
fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}
