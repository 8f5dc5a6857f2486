//! A race between contenders for the same work, on a machine whose speed drifts.
//!
//! criterion measures one function after the other, so that a ratio of two of its results says as
//! much about the minutes between them as about the functions. Here every sample that criterion
//! takes of one contender is taken of all of them in turn, slice by slice; criterion gets the time
//! of the one it asked for, and the ratio of two contenders is the median of their ratios within
//! each sample.
//!
//! ```
//! use benches::{Race, Report};
//! use criterion::Criterion;
//!
//! let mut report = Report::default();
//! Race::new("sum a hundred numbers")
//!     .contender("loop", || (0..100_u64).fold(0, |sum, number| sum ^ number))
//!     .contender("iterator", || (0..100_u64).sum::<u64>())
//!     .at_most("iterator", 2.0, "loop")
//!     .run(&mut Criterion::default().sample_size(10), &mut report);
//! println!("{report}");
//! ```

mod race;
mod report;

pub use race::Race;
pub use report::Report;
