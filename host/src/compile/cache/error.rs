use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A folder cannot be used as a cache.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It cannot be made or opened.
    #[error("the cache folder {} cannot be used: {error}", .folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It belongs to another user, who could put native code there.
    #[error(
        "the cache folder {} belongs to another user (uid {owner}); use one of your own",
        .folder.display()
    )]
    NotYours {
        /// The folder.
        folder: PathBuf,
        /// PortOwner it is.
        owner: u32,
    },
    /// Others could put native code there.
    #[error(
        "others may write to the cache folder {} (mode {mode:o}), and so make this command run their \
         code; `chmod go-w` it, or use another one",
        .folder.display()
    )]
    OthersMayWrite {
        /// The folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Who may write to a folder is checked only on Unix.
    #[error("compiled programs are kept on Unix only")]
    Unsupported,
}
