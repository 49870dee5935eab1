//! TLS of the host, over `asyncio:host/tls`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use wasi::sockets::types::ErrorCode as SocketError;
use wasi::wit_stream;
use wit_bindgen::rt::async_support::FutureReader;

use super::context::Settings;
use super::session::{Halves, Handshake, SessionSink};
use super::{
    Plan, Provider, Session, SessionCarrier, Side, SslContext, SslObject, TlsVersion, VerifyMode,
};
use crate::asyncio_host::tls;
use crate::error::{ErrorCode, TlsError};
use crate::refusal::Refusal;
use crate::socket::options::{self, HasOptions, SocketOption};
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
    context.set_require_alpn(settings.require_alpn);
    context.set_ignore_unexpected_eof(settings.ignore_unexpected_eof);
    Ok(context)
}

fn begin(
    carrier: Box<dyn SessionCarrier>,
    received: &[u8],
    plan: &Plan,
) -> Result<Handshake, Refusal> {
    let context = host(&plan.context)?;
    let name = plan.server_hostname.as_deref();
    let carrier = (carrier.into_transport()).ok_or(Refusal::Socket(ErrorCode::InvalidState))?;
    let session = context.wrap_socket(carrier, received, name)?;
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
        let session: Rc<Shared> = Rc::new(RefCell::new(Some(session)));
        Ok(Session {
            object: Rc::new(object),
            options: session.clone(),
            open: Box::new(move || split(session, shutdown)),
        })
    }))
}

/// A session until it is closed or cut short.
type Shared = RefCell<Option<tls::Connection>>;

/// Opens both directions of the session. `limit` is the time that its end may take.
/// Returns `None` for a session that is gone.
fn split(session: Rc<Shared>, limit: Duration) -> Option<Halves> {
    let (to_send, stream) = wit_stream::new();
    let ((received, end), sent) = {
        let session = session.borrow();
        let session = session.as_ref()?;
        (session.receive(), session.send(stream))
    };
    let cut = session.clone();
    let carrier = OpenSession(session.clone());
    let ending = async move {
        let Some(session) = session.take() else {
            return Ok(());
        };
        let closed = tls::Connection::close(session, nanoseconds(limit)).await;
        closed.map_err(|error| Refusal::from(error).into_error_code())
    };
    Some(Halves {
        source: RawSource::with_result(received, Box::pin(outcome(end))),
        sink: SessionSink {
            raw: RawSink::with_result(to_send, Box::pin(outcome(sent))),
            cut_short: Some(Box::new(move || drop(cut.take()))),
        },
        ending: Box::pin(ending),
        carrier: Box::new(carrier),
    })
}

/// A session in use; `None` once it was closed or cut short.
struct OpenSession(Rc<Shared>);

impl SessionCarrier for OpenSession {
    fn into_transport(self: Box<Self>) -> Option<tls::Transport> {
        self.0.take().map(tls::Transport::Tls)
    }
}

impl HasOptions for Shared {
    fn option(&self, option: SocketOption) -> Result<u64, ErrorCode> {
        with(self, |session| {
            Ok(match option {
                SocketOption::KeepAlive => session.get_keep_alive_enabled()?.into(),
                SocketOption::KeepAliveIdleTime => session.get_keep_alive_idle_time()?,
                SocketOption::KeepAliveInterval => session.get_keep_alive_interval()?,
                SocketOption::KeepAliveCount => session.get_keep_alive_count()?.into(),
                SocketOption::ReceiveBufferSize => session.get_receive_buffer_size()?,
                SocketOption::SendBufferSize => session.get_send_buffer_size()?,
            })
        })
    }

    fn set_option(&self, option: SocketOption, value: u64) -> Result<(), ErrorCode> {
        with(self, |session| match option {
            SocketOption::KeepAlive => session.set_keep_alive_enabled(value != 0),
            SocketOption::KeepAliveIdleTime => session.set_keep_alive_idle_time(value),
            SocketOption::KeepAliveInterval => session.set_keep_alive_interval(value),
            SocketOption::KeepAliveCount => session.set_keep_alive_count(options::count(value)),
            SocketOption::ReceiveBufferSize => session.set_receive_buffer_size(value),
            SocketOption::SendBufferSize => session.set_send_buffer_size(value),
        })
    }

    fn no_delay(&self, _: options::Getter) -> Result<bool, ErrorCode> {
        with(self, tls::Connection::get_no_delay)
    }

    fn set_no_delay(&self, no_delay: bool, _: options::Setter) -> Result<(), ErrorCode> {
        with(self, |session| session.set_no_delay(no_delay))
    }
}

fn with<T>(
    session: &Shared,
    access: impl FnOnce(&tls::Connection) -> Result<T, SocketError>,
) -> Result<T, ErrorCode> {
    match &*session.borrow() {
        Some(session) => access(session).map_err(ErrorCode::from_wasi),
        None => Err(ErrorCode::InvalidState),
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
