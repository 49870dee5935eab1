//! Sessions of the host's.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use wasi::wit_stream;
use wit_bindgen::rt::async_support::FutureReader;

use super::context::Settings;
use super::{
    Beginning, Established, Maker, NoSession, Plan, Side, SslContext, SslObject, TlsVersion,
    VerifyMode,
};
use crate::error::{ErrorCode, TlsError};
use crate::host::tls;
use crate::socket::host_socket::HostSocket;
use crate::transport::raw::{RawSink, RawSource};
use crate::transport::{Sink, Source};

pub(super) static MAKER: Maker = Maker { check, begin };

fn check(context: &SslContext) -> Result<(), NoSession> {
    host(context).map(drop)
}

/// The host's context of these settings.
fn host(context: &SslContext) -> Result<&tls::Context, NoSession> {
    let host = context.host(make)?;
    host.ok_or_else(|| NoSession::Invalid("ssl: not a context of this host".into()))
}

fn make(settings: &Settings) -> Result<tls::Context, NoSession> {
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

fn begin(
    socket: Box<dyn HostSocket>,
    received: &[u8],
    plan: &Plan,
) -> Result<Beginning, NoSession> {
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
        Ok(Established {
            object: Rc::new(object),
            run: Box::new(move |connection| {
                Box::pin(async move {
                    let (source, sink, ending) = split(session, shutdown);
                    connection.run_session(source, sink, ending).await;
                })
            }),
        })
    }))
}

/// The session, until it is closed or cut short.
type Shared = Rc<RefCell<Option<tls::Connection>>>;

fn split(
    session: tls::Connection,
    limit: Duration,
) -> (
    impl Source + use<>,
    impl Sink + use<>,
    impl Future<Output = Result<(), ErrorCode>> + use<>,
) {
    let (received, end) = session.receive();
    let (to_send, stream) = wit_stream::new();
    let sent = session.send(stream);
    let session: Shared = Rc::new(RefCell::new(Some(session)));
    let sink = SessionSink {
        session: session.clone(),
        raw: RawSink::with_result(to_send, outcome(sent)),
        over: false,
    };
    let ending = async move {
        let Some(session) = session.take() else {
            return Ok(());
        };
        let closed = tls::Connection::close(session, nanoseconds(limit)).await;
        closed.map_err(|error| NoSession::from(error).code())
    };
    (RawSource::with_result(received, outcome(end)), sink, ending)
}

/// Sends. Given up before it is over, it cuts the session short: the end of its
/// stream would be that of the data.
struct SessionSink<S> {
    session: Shared,
    raw: S,
    over: bool,
}

impl<S: Sink> Sink for SessionSink<S> {
    async fn send(
        &mut self,
        data: Vec<u8>,
        progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        let sent = self.raw.send(data, progress).await;
        // What the peer has sent can still be received.
        self.over = sent.0.is_err();
        sent
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        let finished = self.raw.finish().await;
        self.over = true;
        finished
    }
}

impl<S> Drop for SessionSink<S> {
    fn drop(&mut self) {
        if !self.over {
            self.session.take();
        }
    }
}

async fn outcome(result: FutureReader<Result<(), tls::ErrorCode>>) -> Result<(), ErrorCode> {
    let outcome = result.await;
    outcome.map_err(|error| NoSession::from(error).code())
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

impl From<tls::ErrorCode> for NoSession {
    fn from(code: tls::ErrorCode) -> NoSession {
        use tls::ErrorCode as Host;
        NoSession::Tls(match code {
            Host::InvalidArgument(why) => return NoSession::Invalid(why),
            Host::Socket(code) => return NoSession::Connection(code.into()),
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
