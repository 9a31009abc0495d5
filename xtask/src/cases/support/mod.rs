//! Code that several cases share.

pub mod asking;
pub mod beginning;
pub mod case;
pub mod conclusion;
pub mod conflicts;
pub mod context;
pub mod differences;
pub mod disturb;
pub mod evict;
pub mod explain;
pub mod extra;
pub mod jobs;
pub mod kill;
pub mod never_below;
pub mod one_record;
pub mod outside;
pub mod placement;
pub mod restarts;
pub mod rolled_out;
pub mod running_image;
pub mod service;
pub mod settled;
pub mod signs;
pub mod untouched;
pub mod upgrading;
