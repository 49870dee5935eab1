use wasi::sockets::types::{ErrorCode, TcpSocket};

use super::support::connect;
use super::{Ip, Outcome};

checks! {
    every_option_has_a_value_from_the_start
    a_value_of_0_is_invalid_and_changes_nothing
    values_out_of_range_are_brought_within
    what_was_set_is_read_back
    a_part_of_a_second_is_not_lost
    what_was_set_before_connecting_stays
    connections_have_the_options_of_their_listener
    connections_have_the_options_set_while_it_listened
}

const SECOND: u64 = 1_000_000_000;
const KIB: u64 = 1024;

/// The options of a socket that are numbers.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    idle_time: u64,
    interval: u64,
    count: u32,
    hop_limit: u8,
    receive_buffer: u64,
    send_buffer: u64,
}

impl Numbers {
    fn of(socket: &TcpSocket) -> Result<Numbers, ErrorCode> {
        Ok(Numbers {
            idle_time: socket.get_keep_alive_idle_time()?,
            interval: socket.get_keep_alive_interval()?,
            count: socket.get_keep_alive_count()?,
            hop_limit: socket.get_hop_limit()?,
            receive_buffer: socket.get_receive_buffer_size()?,
            send_buffer: socket.get_send_buffer_size()?,
        })
    }

    /// Values that the kernel keeps as they are, far from the defaults.
    fn unusual(number: u8) -> Numbers {
        Numbers {
            idle_time: u64::from(number) * SECOND,
            interval: u64::from(number) * SECOND,
            count: number.into(),
            hop_limit: number,
            receive_buffer: u64::from(number) * KIB,
            send_buffer: u64::from(number) * KIB,
        }
    }

    fn set(&self, socket: &TcpSocket) -> Result<(), ErrorCode> {
        socket.set_keep_alive_idle_time(self.idle_time)?;
        socket.set_keep_alive_interval(self.interval)?;
        socket.set_keep_alive_count(self.count)?;
        socket.set_hop_limit(self.hop_limit)?;
        socket.set_receive_buffer_size(self.receive_buffer)?;
        socket.set_send_buffer_size(self.send_buffer)
    }
}

async fn every_option_has_a_value_from_the_start(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    socket.get_keep_alive_enabled()?;
    let numbers = Numbers::of(&socket)?;
    ensure!(numbers.idle_time > 0 && numbers.interval > 0, "{numbers:?}");
    ensure!(numbers.count > 0 && numbers.hop_limit > 0, "{numbers:?}");
    let buffers = numbers.receive_buffer > 0 && numbers.send_buffer > 0;
    ensure!(buffers, "{numbers:?}");
    Ok(())
}

async fn a_value_of_0_is_invalid_and_changes_nothing(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    let before = Numbers::of(&socket)?;
    fails!(socket.set_keep_alive_idle_time(0), InvalidArgument);
    fails!(socket.set_keep_alive_interval(0), InvalidArgument);
    fails!(socket.set_keep_alive_count(0), InvalidArgument);
    fails!(socket.set_hop_limit(0), InvalidArgument);
    fails!(socket.set_receive_buffer_size(0), InvalidArgument);
    fails!(socket.set_send_buffer_size(0), InvalidArgument);
    same!(Numbers::of(&socket)?, before);
    Ok(())
}

async fn values_out_of_range_are_brought_within(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    socket.set_keep_alive_idle_time(1)?;
    socket.set_keep_alive_interval(1)?;
    socket.set_keep_alive_count(1)?;
    socket.set_hop_limit(1)?;
    socket.set_receive_buffer_size(1)?;
    socket.set_send_buffer_size(1)?;
    let least = Numbers::of(&socket)?;
    same!((least.idle_time, least.interval), (SECOND, SECOND));
    same!((least.count, least.hop_limit), (1, 1));
    let buffers = least.receive_buffer > 0 && least.send_buffer > 0;
    ensure!(buffers, "{least:?}");

    socket.set_keep_alive_idle_time(u64::MAX)?;
    socket.set_keep_alive_interval(u64::MAX)?;
    socket.set_keep_alive_count(u32::MAX)?;
    socket.set_hop_limit(u8::MAX)?;
    socket.set_receive_buffer_size(u64::MAX)?;
    socket.set_send_buffer_size(u64::MAX)?;
    let most = Numbers::of(&socket)?;
    same!(
        (most.idle_time, most.interval),
        (32767 * SECOND, 32767 * SECOND)
    );
    same!((most.count, most.hop_limit), (127, 255));
    let buffers = most.receive_buffer > least.receive_buffer;
    ensure!(buffers && most.send_buffer > least.send_buffer, "{most:?}");
    Ok(())
}

async fn what_was_set_is_read_back(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    for on in [true, false, true] {
        socket.set_keep_alive_enabled(on)?;
        same!(socket.get_keep_alive_enabled()?, on);
    }
    Numbers::unusual(42).set(&socket)?;
    same!(Numbers::of(&socket)?, Numbers::unusual(42));
    Ok(())
}

async fn a_part_of_a_second_is_not_lost(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    socket.set_keep_alive_idle_time(SECOND + SECOND / 2)?;
    socket.set_keep_alive_interval(SECOND + 1)?;
    for time in [
        socket.get_keep_alive_idle_time()?,
        socket.get_keep_alive_interval()?,
    ] {
        ensure!((SECOND + 1..=2 * SECOND).contains(&time), "{time}");
    }
    Ok(())
}

async fn what_was_set_before_connecting_stays(ip: Ip) -> Outcome {
    let listener = ip.listener()?;
    let socket = ip.create()?;
    socket.set_keep_alive_enabled(true)?;
    Numbers::unusual(42).set(&socket)?;
    connect(&socket, listener.address).await?;
    ensure!(socket.get_keep_alive_enabled()?, "it is off");
    same!(Numbers::of(&socket)?, Numbers::unusual(42));
    Ok(())
}

async fn connections_have_the_options_of_their_listener(ip: Ip) -> Outcome {
    let socket = ip.bound()?;
    let on = !socket.get_keep_alive_enabled()?;
    socket.set_keep_alive_enabled(on)?;
    Numbers::unusual(42).set(&socket)?;
    let mut listener = super::support::Listener::of(socket)?;
    let (accepted, _client) = listener.pair().await?;
    same!(accepted.get_keep_alive_enabled()?, on);
    same!(Numbers::of(&accepted)?, Numbers::unusual(42));

    listener.socket.set_keep_alive_enabled(!on)?;
    Numbers::unusual(43).set(&listener.socket)?;
    same!(accepted.get_keep_alive_enabled()?, on);
    same!(Numbers::of(&accepted)?, Numbers::unusual(42));
    Ok(())
}

async fn connections_have_the_options_set_while_it_listened(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let on = !listener.socket.get_keep_alive_enabled()?;
    listener.socket.set_keep_alive_enabled(on)?;
    Numbers::unusual(42).set(&listener.socket)?;
    let (accepted, _client) = listener.pair().await?;
    same!(accepted.get_keep_alive_enabled()?, on);
    same!(Numbers::of(&accepted)?, Numbers::unusual(42));
    Ok(())
}
