//! A component. Every function that its world (`wit/world.wit`) exports is a task.

wit_bindgen::generate!({ path: "wit", world: "guest" });

struct Component;

impl Guest for Component {
    fn hello(name: String) -> String {
        format!("Hello, {name}!")
    }
}

export!(Component);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_greets_by_name() {
        assert_eq!(Component::hello("World".to_owned()), "Hello, World!");
    }
}
