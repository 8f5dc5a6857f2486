//! Answers that the gateway gives by itself.

mod inner;
mod outer;

pub(crate) use inner::InnerRefusal;
pub(crate) use outer::OuterRefusal;
