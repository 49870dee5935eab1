//! Abandons a wait that it cannot cancel, and reads on; written against the WIT.
//!
//! Arguments: host and port of a peer that sends `ab`, and `c\n` after a request.

use std::rc::Rc;

use asyncio_streams::{println, spawn};
use guests::composed::bindings::asyncio::streams::streams::{Port, ReadRequest, open_connection};

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: abandoned-wait-wit HOST PORT".into());
    };
    let port = Port::Service(port.clone());
    let (reader, writer) = open_connection(Some(host.clone()), port, None).await?;
    let reader = Rc::new(reader);

    reader.ready(ReadRequest::Exactly(2)).await?;
    let waiting = reader.clone();
    let given_up = spawn(async move { waiting.ready(ReadRequest::Line(None)).await });
    // The wait is under way and would answer none.
    let line = reader.read_nowait(&ReadRequest::Line(None))?;
    println!("line {line:?}");
    let waiting = reader.clone();
    let newer = spawn(async move { waiting.ready(ReadRequest::Exactly(4)).await });
    given_up.await??;
    println!("the first gave way");
    writer.write(b"more\n")?;
    newer.await??;
    let line = reader.read_nowait(&ReadRequest::Line(None))?;
    println!("line {line:?}");
    Ok(())
}

asyncio_streams::run!(program);
