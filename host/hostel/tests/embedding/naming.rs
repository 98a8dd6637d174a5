//! Names of runs, from templates over their inputs.

use futures_executor::block_on;
use hostel::{Input, args, each};
use hostel_guests::{ARITH, MODELS, TEXT};

use crate::{host, task};

#[test]
fn t03_a_template_names_runs_after_their_inputs() {
    let host = host(1);
    let add = task(&host, ARITH, "add").run_name("{a} plus {b}").unwrap();
    let three = add.submit(args![1, 2]).unwrap();
    assert_eq!(&*three.name(), "1 plus 2");
    // Resolved after the inputs: until then it has the name of a run that nobody named.
    let sum = add.submit(args![&three, b = 4]).unwrap();
    block_on(sum.outcome());
    assert_eq!(&*sum.name(), "3 plus 4");
    let unnamed = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    let name = unnamed.name();
    let (function, hex) = name.rsplit_once('-').unwrap();
    assert_eq!((function, hex.len()), ("add", 3));
    assert!(unnamed.id().to_string().ends_with(hex));
}

#[test]
fn t03_a_template_is_checked_when_it_is_set() {
    let host = host(1);
    let error = task(&host, TEXT, "greet").run_name("hello {nme}").unwrap_err();
    assert!(error.to_string().contains(r#"did you mean "name"?"#), "{error}");
    assert!(task(&host, TEXT, "greet").run_name("hello {name").is_err());
}

#[test]
fn f26_six_runs_of_train_model_are_named_by_dataset_and_config() {
    let host = host(2);
    let train = task(&host, MODELS, "train-model")
        .run_name("train on {dataset.name} with {model-config.name}")
        .unwrap();
    let named = |name: &str| Input::record([("name", Input::value(name))]);
    let mut names = Vec::new();
    for dataset in ["customers", "products", "orders"] {
        let configs = ["random_forest", "gradient_boosting"].map(named);
        let runs = train.map(args![dataset = named(dataset), "model-config" = each(configs)]).unwrap();
        names.extend(runs.iter().map(|run| run.name().to_string()));
    }
    let expected: Vec<_> = ["customers", "products", "orders"]
        .into_iter()
        .flat_map(|dataset| {
            ["random_forest", "gradient_boosting"].map(|model| format!("train on {dataset} with {model}"))
        })
        .collect();
    assert_eq!(names, expected);
}
