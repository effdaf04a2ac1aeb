//! `Client` and `AsyncClient`: the whole REST API, errors raised.
//!
//! The two classes hold an account; everything else is made from the table of calls when the module is created: a class
//! for each family and kind of client, with a method for each call, and the attributes that lead to them.

mod classes;
mod download;
mod extras;
mod families;
mod family;
mod options;
mod upload;
mod values;

pub(super) use classes::{AsyncClient, Client, ClientBase};
pub(super) use families::add;
pub(super) use family::Family;
