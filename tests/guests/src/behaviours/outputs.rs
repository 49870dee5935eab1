//! Prints more than the reader of its output takes.
//!
//! Arguments: `count N`, which prints so many lines of 31 bytes without awaiting
//! anything; `forever`, which prints lines without an end; `serve stdout` or `serve stderr`
//! with a host and a port: a server that prints 1 KiB for each byte that a client sends,
//! and sends the byte back; `drains HOST PORT`: a server that awaits `stdout().drain()` for
//! ever beside its connections.


use asyncio_streams::{eprint, print, println, spawn, stdout};
use crate::net::{Hosts, StreamReader, StreamWriter, start_server};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args.as_slice() {
        ["count", count] => {
            for line in 0..count.parse()? {
                let line: u32 = line;
                println!("{line:030}");
            }
            Ok(())
        }
        ["forever"] => loop {
            println!("a line of a program that has no end");
        },
        ["serve", to, host, port] => {
            let to_stdout = to == "stdout";
            let client = move |reader, writer| echo(to_stdout, reader, writer);
            serve(client, host, port).await
        }
        ["drains", host, port] => {
            let task = spawn(async {
                loop {
                    if stdout().send("x".repeat(1024)).await.is_err() {
                        return;
                    }
                }
            });
            let served = serve(answer, host, port).await;
            task.cancel();
            served
        }
        _ => Err("usage: outputs count N | forever | serve STREAM HOST PORT | drains HOST PORT".into()),
    }
}

async fn serve<F>(
    client: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    host: &str,
    port: &str,
) -> Outcome
where
    F: Future<Output = Outcome> + 'static,
{
    let server = start_server(client, Hosts::from(host), port).await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

async fn echo(to_stdout: bool, reader: StreamReader, writer: StreamWriter) -> Outcome {
    loop {
        let byte = reader.read(1).await?;
        if byte.is_empty() {
            return Ok(());
        }
        let line = "x".repeat(1023);
        match to_stdout {
            true => print!("{line}\n"),
            false => eprint!("{line}\n"),
        }
        writer.write(&byte)?;
        writer.drain().await?;
    }
}

async fn answer(reader: StreamReader, writer: StreamWriter) -> Outcome {
    loop {
        let byte = reader.read(1).await?;
        if byte.is_empty() {
            return Ok(());
        }
        writer.write(&byte)?;
        writer.drain().await?;
    }
}
