//! How functions are found by their names, and what is said when they are not.

use hostel::{FindError, LoadError, args};
use hostel_guests::wat::{CORE_MODULE_WASIP1, INTERFACE, INVALID, MANY_EXPORTS};

use crate::{host, load};

#[tokio::test]
async fn a_function_in_an_interface_has_a_long_name_and_short_ones() {
    let host = host();
    let component = load(&host, INTERFACE).await;
    for name in ["acme:math/ops@1.0.0.negate", "acme:math/ops.negate", "ops.negate", "negate"] {
        let run = component.task(name).unwrap().submit(args![4]).unwrap();
        assert_eq!(run.result::<i64>().await.unwrap(), -4, "{name}");
    }
    let add = component.task("more.add").unwrap().submit(args![0.5, 1.0]).unwrap();
    assert_eq!(add.result::<f64>().await.unwrap(), 1.5);
    let ambiguous = component.task("add").unwrap_err();
    assert!(
        matches!(&ambiguous, FindError::Ambiguous { candidates, .. } if candidates.len() == 2),
        "{ambiguous}"
    );
}

#[tokio::test]
async fn a_name_may_be_left_out_where_there_is_one_function() {
    let host = host();
    let one = load(&host, hostel_guests::wat::ADD_ONE).await;
    assert_eq!(one.only_task().unwrap().key().export.to_string(), "add-one");
    let many = load(&host, MANY_EXPORTS).await.only_task().unwrap_err();
    assert_eq!(many.to_string(), "which function? The component exports add, subtract, answer, ignore");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let host = host();
    let invalid = host.load(INVALID).await.err().unwrap();
    assert!(matches!(invalid, LoadError::Malformed(_)), "{invalid}");
    let module = host.load(CORE_MODULE_WASIP1).await.err().unwrap();
    assert!(matches!(module, LoadError::CoreModule), "{module}");
}
