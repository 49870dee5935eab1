//! What the options of clients and servers have in common.

/// The limit of a reader unless another one is set.
pub(crate) const DEFAULT_LIMIT: usize = 64 * 1024;

/// Checks a reader's limit; none is the default.
pub(crate) fn limit(limit: Option<u64>) -> Result<usize, String> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(0) => Err("the limit is 0; it has to be at least 1".into()),
        // Larger than memory is as good as none.
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
    }
}

/// The settings that concern TLS, which this build lacks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tls {
    /// TLS is asked for.
    pub(crate) wanted: bool,
    /// A setting that means something only with TLS.
    pub(crate) detail: Option<&'static str>,
}

/// Why the TLS settings cannot be had.
pub(crate) enum NoTls {
    Invalid(String),
    NotSupported(String),
}

impl Tls {
    pub(crate) fn check(self) -> Result<(), NoTls> {
        match self {
            Tls { wanted: true, .. } => Err(NoTls::NotSupported(
                "ssl: this streams component has no TLS".into(),
            )),
            Tls {
                detail: Some(setting),
                ..
            } => Err(NoTls::Invalid(format!(
                "{setting} means something only with ssl; leave it out, or set ssl as well"
            ))),
            _ => Ok(()),
        }
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

    #[test]
    fn oc14_a_detail_of_tls_without_tls_is_a_wrong_argument_that_is_named() {
        let detail = Tls {
            wanted: false,
            detail: Some("server-hostname"),
        };
        assert!(
            matches!(detail.check(), Err(NoTls::Invalid(why)) if why.contains("server-hostname"))
        );
        let wanted = Tls {
            wanted: true,
            ..detail
        };
        assert!(matches!(wanted.check(), Err(NoTls::NotSupported(_))));
        assert!(Tls::default().check().is_ok());
    }
}
