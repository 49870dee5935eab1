//! Uses the host's package through the library and through bindings of its own, as a
//! program with another use for it does.

use std::error::Error;

use asyncio_streams::{ConnectOptions, println, socketpair};
use guests::tls::{Context, Side};

async fn program() -> Result<(), Box<dyn Error>> {
    let (near, far) = socketpair()?;
    let (reader, _near_writer) = ConnectOptions::new().adopt(near).await?;
    let (_far_reader, writer) = ConnectOptions::new().adopt(far).await?;
    writer.write("through the library\n")?;
    let line = reader.readline().await?;
    println!("{}", String::from_utf8_lossy(&line).trim_end());
    let context = Context::new(Side::Client);
    context.set_alpn_protocols(&["h2".to_owned()])?;
    println!("through the bindings");
    Ok(())
}

asyncio_streams::run!(program);
