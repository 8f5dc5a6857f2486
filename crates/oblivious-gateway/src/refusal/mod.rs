//! Answers that the gateway gives by itself.

mod fault;
mod inner;
mod outer;

pub(crate) use fault::{Fault, RequestFault};
pub(crate) use inner::InnerRefusal;
pub(crate) use outer::OuterRefusal;
