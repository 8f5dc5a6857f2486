//! The gateway's own answers.

mod fault;
mod inner;
mod outer;

pub(crate) use fault::{Fault, RequestFault};
pub(crate) use inner::InnerRefusal;
pub(crate) use outer::OuterRefusal;
