use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The reason why a folder cannot be a cache.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The folder cannot be made or opened.
    #[error("the cache folder {} cannot be used: {error}", .folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The folder belongs to another user, who could put native code there.
    #[error(
        "the cache folder {} belongs to another user (uid {owner}); use one of your own",
        .folder.display()
    )]
    NotYours {
        /// The folder.
        folder: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// Other users may write to the folder, and could put native code there.
    #[error(
        "others may write to the cache folder {} (mode {mode:o}), and so make this command run their \
         code; `chmod go-w` it, or use another one",
        .folder.display()
    )]
    OthersMayWrite {
        /// The folder.
        folder: PathBuf,
        /// The permissions of the folder.
        mode: u32,
    },
}
