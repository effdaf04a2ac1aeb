//! Classes that come in pairs, one whose methods wait and one whose methods are coroutines, on a base that does the work.

/// One of a pair: all that it adds to its base is which of the two it is.
macro_rules! twin {
    ($(#[$attribute:meta])* $class:ident: $base:ident, is_async: $is_async:literal) => {
        $(#[$attribute])*
        pub(in crate::python) struct $class;

        #[pymethods]
        impl $class {
            /// Takes anything: subclasses have signatures of their own, and `__init__` sets up.
            #[new]
            #[pyo3(signature = (*_args, **_kwargs))]
            fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
                PyClassInitializer::from($base::new($is_async)).add_subclass(Self)
            }
        }
    };
}

pub(super) use twin;
