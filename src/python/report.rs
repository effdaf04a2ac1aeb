//! Classes of reports: what a job did, as attributes and as JSON.

/// A class of reports: the core's report, with attributes as in `class_body!`.
macro_rules! report_class {
    (
        $(#[$attribute:meta])*
        $class:ident of $core:ty, $report:ident => $attributes:tt
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[pyclass(module = "pythonanywhere_api", frozen)]
        pub(super) struct $class($core);

        impl From<$core> for $class {
            fn from(report: $core) -> Self {
                Self(report)
            }
        }

        $crate::python::class_body::class_body! {
            $class, $report => $attributes

            fn to_json(&self) -> String {
                self.0.to_json().to_string()
            }

            fn raise_for_failures(&self, py: Python<'_>) -> PyResult<()> {
                $crate::python::errors::raise_failure(py, self.0.error_message())
            }

            fn __bool__(&self) -> bool {
                self.0.ok
            }

            $($rest)*
        }
    };
}

pub(super) use report_class;
