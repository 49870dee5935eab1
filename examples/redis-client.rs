//! A client of Redis on its Unix socket, which prints the replies as
//! `redis-cli --raw` does.
//!
//! Arguments: the socket's path, and a command with its arguments. A leading `-x` appends
//! standard input as the last argument. Without a command, each line of standard input is a
//! command; they are sent without waiting for the replies.

mod resp;

use std::error::Error;

use asyncio_streams::{StreamReader, StreamWriter, args, open_unix_connection, stdin, stdout};
use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use futures::future::try_join;

use resp::{Next, Parser, Reply, command};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: redis-client PATH [COMMAND ARG...], or -x PATH COMMAND ARG...";

async fn program() -> Result {
    let mut args: Vec<String> = args().skip(1).collect();
    let with_input = args.first().is_some_and(|arg| arg == "-x");
    if with_input {
        args.remove(0);
    }
    let (path, words) = args.split_first().ok_or(USAGE)?;
    if with_input && words.is_empty() {
        return Err(USAGE.into());
    }
    let (reader, writer) = open_unix_connection(path).await?;
    let refused = match words.is_empty() {
        true => pipeline(&reader, &writer).await?,
        false => {
            let mut words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            if with_input {
                words.push(stdin().read_to_end().await?.to_vec());
            }
            writer.write(command(&words))?;
            writer.drain().await?;
            usize::from(print(receive(&reader).await?).await?)
        }
    };
    writer.close();
    writer.wait_closed().await?;
    match refused {
        0 => Ok(()),
        _ => Err(format!("commands that the server refused: {refused}").into()),
    }
}

/// Sends the commands of standard input, and prints the replies meanwhile. Returns the number
/// of commands that the server refused.
async fn pipeline(reader: &StreamReader, writer: &StreamWriter) -> Result<usize> {
    let (sent, mut expected) = unbounded();
    let sending = async move {
        loop {
            let line = stdin().readline().await?;
            if line.is_empty() {
                // The receiving side stops after the last expected reply.
                drop(sent);
                return Ok(());
            }
            let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).collect();
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            if words.is_empty() {
                continue;
            }
            writer.write(command(&words))?;
            writer.drain().await?;
            sent.unbounded_send(())?;
        }
    };
    let receiving = async {
        let mut refused = 0;
        while expected.next().await.is_some() {
            refused += usize::from(print(receive(reader).await?).await?);
        }
        Result::Ok(refused)
    };
    let ((), refused) = try_join(sending, receiving).await?;
    Ok(refused)
}

/// Receives the next reply.
async fn receive(reader: &StreamReader) -> Result<Reply> {
    let mut parser = Parser::default();
    loop {
        let bytes = match parser.next() {
            Next::Line => reader.readuntil("\r\n").await?,
            Next::Exactly(count) => reader.readexactly(count).await?,
        };
        if let Some(reply) = parser.take(&bytes)? {
            return Ok(reply);
        }
    }
}

/// Prints the reply. Returns true if it is an error of the server.
async fn print(reply: Reply) -> Result<bool> {
    stdout().write(reply.raw())?;
    stdout().drain().await?;
    Ok(reply.is_error())
}

asyncio_streams::run!(program);
