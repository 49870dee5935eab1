//! Looks hosts up, and prints the addresses of each in one line, or its error.
//!
//! Arguments: words `HOST,PORT[,OPTION]...`; the host `-` is none. The options are `ipv4`,
//! `ipv6`, `passive`, `numeric`, `udp` (the protocol's number) and `limit` (which is for
//! connections).

use asyncio_streams::println;

use crate::net::{ConnectOptions, Family, LookupFlags, getaddrinfo};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    for word in asyncio_streams::args().skip(1) {
        let mut parts = word.split(',');
        let host = parts.next().filter(|host| *host != "-");
        let port = parts.next().ok_or("usage: looks-up HOST,PORT[,OPTION]...")?;
        let options: Vec<&str> = parts.collect();
        let found = match options.is_empty() {
            true => getaddrinfo(host, port).await,
            false => settings(&options)?.getaddrinfo(host, port).await,
        };
        match found {
            Ok(found) => println!("{word}: {found:?}"),
            Err(error) => println!("{word}: {error}"),
        }
    }
    Ok(())
}

fn settings(words: &[&str]) -> Result<ConnectOptions, String> {
    let mut options = ConnectOptions::new();
    let mut flags = LookupFlags::default();
    for word in words {
        options = match *word {
            "ipv4" => options.family(Family::Ipv4),
            "ipv6" => options.family(Family::Ipv6),
            "udp" => options.proto(17),
            "limit" => options.limit(1),
            "passive" => {
                flags.passive = true;
                options
            }
            "numeric" => {
                flags.numeric_host = true;
                options
            }
            _ => return Err(format!("no option is called {word}")),
        };
    }
    Ok(options.flags(flags))
}
