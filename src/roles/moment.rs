//! Moments on a command line and in files.

pub(crate) use crate::domain::moment::{FORMS, read};
