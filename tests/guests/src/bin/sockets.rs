//! Checks that sockets are what `wasi:sockets` 0.3 documents, on loopback
//! addresses, with both ends in this program.
//!
//! Arguments: `v4` or `v6`, the part whose checks are to be run, and a free port. The
//! part `limits` has others instead of the port.

#[macro_use]
#[path = "../checks.rs"]
mod checks;
#[path = "../sockets/mod.rs"]
mod sockets;

use asyncio_streams::println;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [ip, part, ..] = args.as_slice() else {
        return Err("usage: sockets v4|v6 PART".into());
    };
    let ip = match ip.as_str() {
        "v4" => sockets::Ip::V4,
        _ => sockets::Ip::V6,
    };
    for (name, check) in sockets::part(part)? {
        println!("check {name}");
        match check(ip).await {
            Ok(()) => println!("ok {name}"),
            Err(why) => println!("failed {name}: {why}"),
        }
    }
    Ok(())
}

asyncio_streams::run!(program);
