//! Serves with `keep_alive` and a backlog, and keeps its connections.
//!
//! Argument: the backlog.

use std::cell::RefCell;

use crate::net::ServerOptions;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let backlog = asyncio_streams::args().nth(1);
    let backlog = backlog.ok_or("usage: keeps-alive BACKLOG")?.parse()?;
    let kept = RefCell::new(Vec::new());
    let server = ServerOptions::new()
        .keep_alive(true)
        .backlog(backlog)
        .start_server(
            move |reader, writer| kept.borrow_mut().push((reader, writer)),
            "127.0.0.1",
            0,
        )
        .await?;
    server.serve_forever().await?;
    Ok(())
}
