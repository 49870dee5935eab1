use asyncio_streams_host::Quotas;
use clap::Args;

use super::limits::size;
use crate::policy::Setting;

/// The use of the network that the program may make.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Quotas (default: none; with --workers, of each worker)")]
pub(crate) struct QuotaArgs {
    /// Connections at the same time, made and accepted; one more to accept is reset
    #[arg(long, value_name = "N")]
    max_connections: Option<u64>,

    /// Connections at the same time with one IP address; for IPv6, with a network of 64 bits
    #[arg(long, value_name = "N")]
    max_connections_per_peer: Option<u64>,

    /// Connections accepted in a second; one more is reset
    #[arg(long, value_name = "N")]
    max_accept_rate: Option<u64>,

    /// Connects in a second; one more fails
    #[arg(long, value_name = "N")]
    max_connect_rate: Option<u64>,

    /// Look-ups in a second; one more fails
    #[arg(long, value_name = "N")]
    max_lookup_rate: Option<u64>,

    /// Bytes received in a second, by all connections together; more arrive later: a number, or
    /// with a unit, such as 64KiB, 1MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_receive_rate: Option<usize>,

    /// Bytes sent in a second, by all connections together; more are sent later
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_send_rate: Option<usize>,

    /// Bytes received and sent in all; then connections fail
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes: Option<usize>,
}

impl QuotaArgs {
    /// Takes a setting of a policy file, unless the command line has the option. Returns
    /// false if it is none of these options.
    pub(super) fn apply(&mut self, setting: &Setting, given: bool) -> anyhow::Result<bool> {
        let count = match setting.option {
            "max-connections" => &mut self.max_connections,
            "max-connections-per-peer" => &mut self.max_connections_per_peer,
            "max-accept-rate" => &mut self.max_accept_rate,
            "max-connect-rate" => &mut self.max_connect_rate,
            "max-lookup-rate" => &mut self.max_lookup_rate,
            _ => return self.apply_size(setting, given),
        };
        let value = setting.parse()?;
        if !given {
            *count = Some(value);
        }
        Ok(true)
    }

    fn apply_size(&mut self, setting: &Setting, given: bool) -> anyhow::Result<bool> {
        let bytes = match setting.option {
            "max-receive-rate" => &mut self.max_receive_rate,
            "max-send-rate" => &mut self.max_send_rate,
            "max-bytes" => &mut self.max_bytes,
            _ => return Ok(false),
        };
        let value = setting.parse_by(size)?;
        if !given {
            *bytes = Some(value);
        }
        Ok(true)
    }

    pub(super) fn quotas(&self) -> Quotas {
        let bytes = |size: Option<usize>| size.map(|size| size as u64);
        let mut quotas = Quotas::default();
        quotas.connections = self.max_connections;
        quotas.connections_per_peer = self.max_connections_per_peer;
        quotas.accepts_per_second = self.max_accept_rate;
        quotas.connects_per_second = self.max_connect_rate;
        quotas.lookups_per_second = self.max_lookup_rate;
        quotas.received_per_second = bytes(self.max_receive_rate);
        quotas.sent_per_second = bytes(self.max_send_rate);
        quotas.bytes = bytes(self.max_bytes);
        quotas
    }
}
