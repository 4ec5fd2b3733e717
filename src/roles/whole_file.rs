//! A file that appears when it is complete.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that is not complete yet, for its owner alone to read; it is removed unless it becomes so.
pub(super) struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        Ok(Self { path, file })
    }

    /// What is written to.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn complete(self, as_path: &Path) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| self.path.display().to_string())?;
        fs::rename(&self.path, as_path).with_context(|| as_path.display().to_string())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is gone when it was completed.
        let _gone = fs::remove_file(&self.path);
    }
}
