//! The architecture of the crate: a layer names only layers below it, and files do not depend on each other in cycles.
//!
//! The source is read as text, so code behind every feature counts, and a name is followed through imports and re-exports
//! to the file that defines it: using what a folder's `mod.rs` re-exports does not make a file depend on `mod.rs`. A
//! method is followed where it is called on `self` or by the name of its type. On other receivers only a compiler knows
//! whose method it is, so those calls are not seen.

mod cases;
mod graph;
mod layers;
mod methods;
mod modules;
mod paths;
mod report;
mod resolve;
mod rules;
mod sources;
