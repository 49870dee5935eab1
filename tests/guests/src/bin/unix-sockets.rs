//! Checks that `asyncio:host/unix-sockets` is what it documents, with both ends in
//! this program.
//!
//! Arguments: the part whose checks are to be run, and a folder that the test has
//! prepared.

#[macro_use]
#[path = "../checks.rs"]
mod checks;
#[path = "../unix_sockets/mod.rs"]
mod unix_sockets;

use asyncio_streams::println;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [part, folder] = args.as_slice() else {
        return Err("usage: unix-sockets PART FOLDER".into());
    };
    let folder = unix_sockets::Folder(folder.clone());
    for (name, check) in unix_sockets::part(part)? {
        println!("check {name}");
        match check(folder.clone()).await {
            Ok(()) => println!("ok {name}"),
            Err(why) => println!("failed {name}: {why}"),
        }
    }
    Ok(())
}

asyncio_streams::run!(program);
