use super::wit::streams as wit;
use super::{ConnectError, Port, StreamReader, StreamWriter, pair};

/// Connects with all defaults.
///
/// # Errors
/// As the crate's function of this name.
pub async fn open_connection<'a>(
    host: impl Into<Option<&'a str>>,
    port: impl Into<Port>,
) -> Result<(StreamReader, StreamWriter), ConnectError> {
    ConnectOptions::new().open_connection(host, port).await
}

/// What has a default.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    local_addr: Option<(Option<String>, Port)>,
}

impl ConnectOptions {
    /// All defaults.
    pub fn new() -> ConnectOptions {
        ConnectOptions::default()
    }

    /// Bind to this address first.
    pub fn local_addr<'a>(
        mut self,
        host: impl Into<Option<&'a str>>,
        port: impl Into<Port>,
    ) -> Self {
        self.local_addr = Some((host.into().map(str::to_owned), port.into()));
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// As the crate's method of this name.
    pub async fn open_connection<'a>(
        &self,
        host: impl Into<Option<&'a str>>,
        port: impl Into<Port>,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let host = host.into().map(str::to_owned);
        let options = self.local_addr.as_ref().map(|(host, port)| {
            let options = wit::ConnectOptions::new();
            options.set_local_addr(host.as_deref(), &port.clone().into());
            options
        });
        let opened = wit::open_connection(host, port.into().into(), options).await;
        Ok(pair(opened?))
    }
}
