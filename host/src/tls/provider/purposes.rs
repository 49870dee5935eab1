//! The purposes of a certificate (extended key usage): RFC 5280, section 4.2.1.12.
//!
//! webpki checks them itself, except of an authority's certificate.

/// The identifier of a purpose, encoded as in DER.
pub(super) struct Purpose(&'static [u8]);

impl Purpose {
    /// TLS servers: 1.3.6.1.5.5.7.3.1.
    pub(super) const SERVER: Purpose = Purpose(&[0x2b, 6, 1, 5, 5, 7, 3, 1]);
    /// TLS clients: 1.3.6.1.5.5.7.3.2.
    pub(super) const CLIENT: Purpose = Purpose(&[0x2b, 6, 1, 5, 5, 7, 3, 2]);

    /// Returns whether the certificate, in DER, is for this purpose. It is for every purpose
    /// if it names none.
    pub(super) fn is_of(&self, certificate: &[u8]) -> bool {
        match extended_key_usage(certificate) {
            Ok(None) => true,
            Ok(Some(purposes)) => values(purposes).any(|value| value == Some((OID, self.0))),
            Err(Malformed) => false,
        }
    }
}

struct Malformed;

/// A value: its tag and its contents.
type Value<'a> = (u8, &'a [u8]);

const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// The tag of a certificate's extensions: `[3]`.
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.37.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// Returns the purposes that the certificate names, if it has that extension.
fn extended_key_usage(certificate: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let certificate = only(certificate, SEQUENCE)?;
    let (SEQUENCE, signed) = first(certificate)? else {
        return Err(Malformed);
    };
    for field in values(signed) {
        let (tag, extensions) = field.ok_or(Malformed)?;
        if tag != EXTENSIONS {
            continue;
        }
        for extension in values(only(extensions, SEQUENCE)?) {
            let (SEQUENCE, extension) = extension.ok_or(Malformed)? else {
                return Err(Malformed);
            };
            if first(extension)? != (OID, EXTENDED_KEY_USAGE) {
                continue;
            }
            // Between them may be a boolean: whether the extension is critical.
            let Some(Some((OCTETS, value))) = values(extension).last() else {
                return Err(Malformed);
            };
            return only(value, SEQUENCE).map(Some);
        }
    }
    Ok(None)
}

/// Returns the contents of the first value, which has this tag.
fn only(der: &[u8], tag: u8) -> Result<&[u8], Malformed> {
    match first(der)? {
        (found, contents) if found == tag => Ok(contents),
        _ => Err(Malformed),
    }
}

fn first(der: &[u8]) -> Result<Value<'_>, Malformed> {
    values(der).next().flatten().ok_or(Malformed)
}

/// Returns the values one after the other. The last one is `None` if it is cut off.
fn values(mut der: &[u8]) -> impl Iterator<Item = Option<Value<'_>>> {
    std::iter::from_fn(move || {
        if der.is_empty() {
            return None;
        }
        let parsed = value(der);
        der = parsed.map_or(&[], |(_, rest)| rest);
        Some(parsed.map(|(value, _)| value))
    })
}

/// Returns the first value, and the bytes behind it.
fn value(der: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let [tag, length, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some(((*tag, contents), rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Usage, KeyPair};

    use super::*;

    fn certificate(purposes: &[Usage]) -> Vec<u8> {
        // So many names that lengths take one, two and three bytes.
        let names: Vec<String> = (0..3000).map(|n| format!("n{n}.example")).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = purposes.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_for_the_purposes_that_it_names_or_for_all() {
        for (purposes, server, client) in [
            (&[][..], true, true),
            (&[Usage::ServerAuth], true, false),
            (&[Usage::ClientAuth], false, true),
            (&[Usage::CodeSigning], false, false),
            (&[Usage::CodeSigning, Usage::ClientAuth], false, true),
        ] {
            let certificate = certificate(purposes);
            assert_eq!(Purpose::SERVER.is_of(&certificate), server, "{purposes:?}");
            assert_eq!(Purpose::CLIENT.is_of(&certificate), client, "{purposes:?}");
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_is_for_no_purpose() {
        let certificate = certificate(&[Usage::ServerAuth]);
        for length in 0..certificate.len() {
            assert!(!Purpose::SERVER.is_of(&certificate[..length]), "{length}");
        }
    }
}
