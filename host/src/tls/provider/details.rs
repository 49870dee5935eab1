use rustls::CipherSuite as Suite;
use rustls::{CommonState, HandshakeKind, ProtocolVersion};

use crate::tls::session::Details;

/// Returns the result of this handshake.
pub(super) fn of(connection: &CommonState, server_hostname: Option<String>) -> Details {
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| suite.suite());
    let (cipher, cipher_bits) = suite.map_or((String::new(), 0), cipher);
    let protocol = connection.alpn_protocol();
    Details {
        version: connection
            .protocol_version()
            .map_or_else(String::new, version),
        cipher,
        cipher_bits,
        alpn_protocol: protocol.map(|name| String::from_utf8_lossy(name).into_owned()),
        server_hostname,
        peer_certificates: connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect(),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

fn version(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Returns OpenSSL's name, and the number of bits of the key.
fn cipher(suite: Suite) -> (String, u32) {
    let (name, bits) = match suite {
        Suite::TLS13_AES_256_GCM_SHA384 => ("TLS_AES_256_GCM_SHA384", 256),
        Suite::TLS13_AES_128_GCM_SHA256 => ("TLS_AES_128_GCM_SHA256", 128),
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => ("TLS_CHACHA20_POLY1305_SHA256", 256),
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => ("ECDHE-ECDSA-AES256-GCM-SHA384", 256),
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => ("ECDHE-ECDSA-AES128-GCM-SHA256", 128),
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            ("ECDHE-ECDSA-CHACHA20-POLY1305", 256)
        }
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => ("ECDHE-RSA-AES256-GCM-SHA384", 256),
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => ("ECDHE-RSA-AES128-GCM-SHA256", 128),
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => ("ECDHE-RSA-CHACHA20-POLY1305", 256),
        other => return (format!("{other:?}"), 0),
    };
    (name.to_owned(), bits)
}
