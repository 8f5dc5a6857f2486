//! Plumbing shared by the example programs.
