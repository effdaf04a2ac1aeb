//! Classes of reports: what a job did, as attributes and as JSON.

/// A class of reports: each attribute once, with its type and how it comes from the core's report.
macro_rules! report_class {
    (
        $(#[$attribute:meta])*
        $class:ident of $core:ty, $report:ident => { $($name:ident: $type:ty = $value:expr,)* }
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[pyclass(module = "pythonanywhere_api", frozen)]
        pub(super) struct $class {
            /// The core's, for what is not an attribute.
            report: $core,
            $(#[pyo3(get)] $name: $type,)*
        }

        impl From<$core> for $class {
            fn from($report: $core) -> Self {
                Self { $($name: $value,)* report: $report }
            }
        }

        #[pymethods]
        impl $class {
            fn to_json(&self) -> String {
                self.report.to_json().to_string()
            }

            fn raise_for_failures(&self, py: Python<'_>) -> PyResult<()> {
                $crate::python::errors::raise_failure(py, self.report.error_message())
            }

            fn __bool__(&self) -> bool {
                self.ok
            }

            $($rest)*
        }
    };
}

pub(super) use report_class;
