//! Methods that come from a table: [`TableMethod`] is to a [`Parameter`](crate::parameters::Parameter) list what a
//! function is to its `def` line.
//!
//! An API of many like calls is data, and its methods are made of it when their class is. Callers must not be able to
//! tell: they bind, pickle, compare, can be patched and wrapped, have names, docs and a signature, and refuse wrong
//! arguments in Python's own words.
//!
//! ```text
//! let class = py.get_type::<WebfactionApi>();
//! for call in &CALLS {
//!     TableMethod::new(call.name, call.parameters, call.doc, move |object, arguments| …).add_to(&class)?;
//! }
//! ```

mod binding;
mod descriptor;

pub(super) use binding::Arguments;
pub(super) use descriptor::TableMethod;
