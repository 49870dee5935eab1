use std::net::IpAddr;

use wasi::sockets::ip_name_lookup::{ErrorCode, resolve_addresses};
use wasi::sockets::types::IpAddress;

use super::{Failure, Ip, Outcome};

checks! {
    an_address_is_answered_as_it_is
    what_is_neither_a_name_nor_an_address_is_invalid
    localhost_is_at_loopback_addresses
    a_name_that_does_not_exist_is_an_error
    a_name_may_be_written_in_any_script
    an_ipv4_mapped_address_is_answered_as_ipv4
}

pub(super) async fn resolve(name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    let answers = resolve_addresses(name.to_owned()).await?;
    Ok(answers.into_iter().map(plain).collect())
}

fn plain(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(octets) => <[u8; 4]>::from(octets).into(),
        IpAddress::Ipv6(segments) => <[u16; 8]>::from(segments).into(),
    }
}

async fn an_address_is_answered_as_it_is(ip: Ip) -> Outcome {
    let table: &[(&str, &str)] = match ip {
        Ip::V4 => &[
            ("0.0.0.0", "0.0.0.0"),
            ("127.0.0.1", "127.0.0.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("255.255.255.255", "255.255.255.255"),
        ],
        Ip::V6 => &[
            ("::", "::"),
            ("::1", "::1"),
            ("[::]", "::"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:0db8:0:0:0:0:0:1", "2001:db8::1"),
            ("DEAD:beef::0", "dead:beef::"),
        ],
    };
    for (name, address) in table {
        same!(resolve(name).await?, [address.parse::<IpAddr>()?]);
    }
    Ok(())
}

async fn what_is_neither_a_name_nor_an_address_is_invalid(_: Ip) -> Outcome {
    for name in [
        "",
        " ",
        "a b",
        "a.b<&>",
        "127.0.0.1:80",
        "[::]:80",
        "[::1",
        "http://example.com/",
        "256.256.256.256",
    ] {
        let answer = resolve(name).await;
        let invalid = matches!(answer, Err(ErrorCode::InvalidArgument));
        ensure!(invalid, "{name:?}: {answer:?}");
    }
    Ok(())
}

async fn localhost_is_at_loopback_addresses(_: Ip) -> Outcome {
    for name in ["localhost", "LOCALHOST"] {
        let addresses = resolve(name).await?;
        ensure!(!addresses.is_empty(), "no address");
        let loopback = addresses.iter().all(IpAddr::is_loopback);
        ensure!(loopback, "{addresses:?}");
    }
    Ok(())
}

/// Without a resolver the machine cannot know whether the name exists.
fn unknown(answer: Result<Vec<IpAddr>, ErrorCode>) -> Result<(), Failure> {
    let unknown = matches!(
        answer,
        Err(ErrorCode::NameUnresolvable | ErrorCode::TemporaryResolverFailure)
    );
    ensure!(unknown, "{answer:?}");
    Ok(())
}

async fn a_name_that_does_not_exist_is_an_error(_: Ip) -> Outcome {
    unknown(resolve("nowhere.invalid").await)
}

async fn a_name_may_be_written_in_any_script(_: Ip) -> Outcome {
    unknown(resolve("bücher.invalid").await)
}

/// `resolve-addresses` never returns IPv4-mapped IPv6 addresses.
async fn an_ipv4_mapped_address_is_answered_as_ipv4(_: Ip) -> Outcome {
    let address: IpAddr = "127.0.0.1".parse()?;
    same!(resolve("::ffff:127.0.0.1").await?, [address]);
    Ok(())
}
