//! Attributes of a class as one list, each with its type and its value.

/// The methods of a class: the attributes, each once with its type and where it comes from, and the rest as it is.
macro_rules! class_body {
    ($class:ty, $this:ident => { $($name:ident: $type:ty = $value:expr,)* } $($rest:tt)*) => {
        #[pymethods]
        impl $class {
            $(
                #[getter]
                fn $name(&self) -> $type {
                    let $this = self;
                    $value
                }
            )*

            $($rest)*
        }
    };
}

pub(super) use class_body;
