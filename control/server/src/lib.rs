//! The control service. This version has none: hosts keep their records until one is there.
//!
//! **Invariant:** it says that it cannot do what it cannot do.

/// What the program says instead of serving.
pub const NOT_YET: &str = "this version has no control service; hosts keep their signed records in \
                           their state folders, and `bowline history` shows them";
