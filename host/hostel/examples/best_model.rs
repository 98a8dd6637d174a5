//! Models trained on datasets, each model on each, and the best one found as they complete.
#![allow(clippy::print_stdout, reason = "an example shows what it prints")]

use std::error::Error;

use hostel::{Host, Input, args, as_completed, each};
use hostel_guests::MODELS;
use serde::Deserialize;

#[derive(Deserialize)]
struct Trained {
    dataset: String,
    model: String,
    score: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::builder().build()?;
    let train_model = host.load(MODELS).await?.task("train-model")?;
    let train_model = train_model.run_name("train on {dataset.name} with {model-config.name}")?;

    let named = |name| Input::record([("name", name)]);
    let mut futures = Vec::new();
    for dataset in ["customers", "products", "orders"] {
        let configs = ["random_forest", "gradient_boosting"].map(named);
        futures.extend(train_model.map(args![named(dataset), each(configs)])?);
    }

    let mut results = Vec::new();
    let mut completed = as_completed(futures);
    while let Some(future) = completed.next().await {
        let trained: Trained = future.result_as().await?;
        println!("{}: {}", future.name(), trained.score);
        results.push(trained);
    }
    if let Some(best) = results.iter().max_by(|a, b| a.score.total_cmp(&b.score)) {
        println!("best: {} on {} with {}", best.model, best.dataset, best.score);
    }
    Ok(())
}
