//! TLS of the host, over `asyncio:host/tls`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use wasi::wit_stream;
use wit_bindgen::rt::async_support::FutureReader;

use super::context::Settings;
use super::session::{Halves, Handshake, SessionSink};
use super::{Plan, Provider, Session, Side, SslContext, SslObject, TlsVersion, VerifyMode};
use crate::asyncio_host::tls;
use crate::error::{ErrorCode, TlsError};
use crate::refusal::Refusal;
use crate::socket::host_socket::HostSocket;
use crate::transport::raw::{RawSink, RawSource};

pub(super) static PROVIDER: Provider = Provider { check, begin };

fn check(context: &SslContext) -> Result<(), Refusal> {
    host(context).map(drop)
}

/// Returns the host's context for these settings, made at the first use.
fn host(context: &SslContext) -> Result<&tls::Context, Refusal> {
    let host = context.host(make)?;
    host.ok_or_else(|| Refusal::InvalidArgument("ssl: not a context of this host".into()))
}

fn make(settings: &Settings) -> Result<tls::Context, Refusal> {
    let context = tls::Context::new(settings.side.into());
    if let Some(protocols) = &settings.alpn_protocols {
        context.set_alpn_protocols(protocols)?;
    }
    for pem in &settings.roots {
        context.load_verify_locations(pem)?;
    }
    for name in &settings.identities {
        context.use_identity(name)?;
    }
    if let Some(mode) = settings.verify_mode {
        context.set_verify_mode(mode.into())?;
    }
    if let Some(version) = settings.minimum_version {
        context.set_minimum_version(version.into());
    }
    Ok(context)
}

fn begin(socket: Box<dyn HostSocket>, received: &[u8], plan: &Plan) -> Result<Handshake, Refusal> {
    let context = host(&plan.context)?;
    let name = plan.server_hostname.as_deref();
    let session = context.wrap_socket(socket.into_transport(), received, name)?;
    let server_side = plan.context.side() == Side::Server;
    let (handshake, shutdown) = (plan.handshake_timeout, plan.shutdown_timeout);
    Ok(Box::pin(async move {
        let details = session.handshake(nanoseconds(handshake)).await?;
        let object = SslObject {
            server_side,
            version: details.version,
            cipher: details.cipher,
            cipher_bits: details.cipher_bits,
            alpn_protocol: details.alpn_protocol,
            server_hostname: details.server_hostname,
            peer_certificates: details.peer_certificates,
            session_reused: details.resumed,
        };
        Ok(Session {
            object: Rc::new(object),
            open: Box::new(move || split(session, shutdown)),
        })
    }))
}

/// Opens both directions of the session. `limit` is the time that its end may take.
fn split(session: tls::Connection, limit: Duration) -> Halves {
    let (received, end) = session.receive();
    let (to_send, stream) = wit_stream::new();
    let sent = session.send(stream);
    // Holds the session until it is closed or cut short.
    let session = Rc::new(RefCell::new(Some(session)));
    let cut = session.clone();
    let ending = async move {
        let Some(session) = session.take() else {
            return Ok(());
        };
        let closed = tls::Connection::close(session, nanoseconds(limit)).await;
        closed.map_err(|error| Refusal::from(error).into_error_code())
    };
    Halves {
        source: RawSource::with_result(received, Box::pin(outcome(end))),
        sink: SessionSink {
            raw: RawSink::with_result(to_send, Box::pin(outcome(sent))),
            cut_short: Some(Box::new(move || drop(cut.take()))),
        },
        ending: Box::pin(ending),
    }
}

async fn outcome(result: FutureReader<Result<(), tls::ErrorCode>>) -> Result<(), ErrorCode> {
    let outcome = result.await;
    outcome.map_err(|error| Refusal::from(error).into_error_code())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Side> for tls::Side {
    fn from(side: Side) -> tls::Side {
        match side {
            Side::Client => tls::Side::Client,
            Side::Server => tls::Side::Server,
        }
    }
}

impl From<VerifyMode> for tls::VerifyMode {
    fn from(mode: VerifyMode) -> tls::VerifyMode {
        match mode {
            VerifyMode::None => tls::VerifyMode::None,
            VerifyMode::Optional => tls::VerifyMode::Optional,
            VerifyMode::Required => tls::VerifyMode::Required,
        }
    }
}

impl From<TlsVersion> for tls::Version {
    fn from(version: TlsVersion) -> tls::Version {
        match version {
            TlsVersion::Tls12 => tls::Version::Tls12,
            TlsVersion::Tls13 => tls::Version::Tls13,
        }
    }
}

impl From<tls::ErrorCode> for Refusal {
    fn from(code: tls::ErrorCode) -> Refusal {
        use tls::ErrorCode as Host;
        Refusal::Tls(match code {
            Host::InvalidArgument(why) => return Refusal::InvalidArgument(why),
            Host::Socket(code) => return Refusal::Socket(ErrorCode::from_wasi(code)),
            Host::AccessDenied => TlsError::AccessDenied,
            Host::NotTls => TlsError::NotTls,
            Host::WrongName(names) => TlsError::WrongName(names),
            Host::Expired => TlsError::Expired,
            Host::NotYetValid => TlsError::NotYetValid,
            Host::UnknownAuthority => TlsError::UnknownAuthority,
            Host::Revoked => TlsError::Revoked,
            Host::BadCertificate(why) => TlsError::BadCertificate(why),
            Host::NoCertificate => TlsError::NoCertificate,
            Host::HandshakeTimeout => TlsError::HandshakeTimeout,
            Host::ShutdownTimeout => TlsError::ShutdownTimeout,
            Host::UnexpectedEof => TlsError::UnexpectedEof,
            Host::UnexpectedData => TlsError::UnexpectedData,
            Host::Alert(number) => TlsError::Alert(number),
            Host::Other(words) => TlsError::Other(words),
        })
    }
}
