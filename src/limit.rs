//! The limit of a reader, as clients and servers are given it.

/// The limit of a reader unless another one is set: asyncio's, in bytes.
pub(crate) const DEFAULT_LIMIT: usize = 64 * 1024;

/// Checks a reader's limit. `None` is the default.
pub(crate) fn limit(limit: Option<u64>) -> Result<usize, String> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(0) => Err("the limit is 0; it has to be at least 1".into()),
        // A limit that does not fit into usize is larger than memory: no limit at all.
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oc1_a_limit_of_zero_is_refused_and_none_is_64_kib() {
        assert_eq!(limit(None), Ok(65536));
        assert_eq!(limit(Some(1)), Ok(1));
        assert!(limit(Some(0)).unwrap_err().contains("limit"));
    }
}
