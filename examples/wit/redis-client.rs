//! A client of Redis on its Unix socket, which prints the replies as
//! `redis-cli --raw` does; as a component written against the WIT.
//!
//! Arguments: the socket's path, and a command with its arguments. A leading `-x` appends
//! standard input as the last argument. Without a command, each line of standard input is a
//! command; they are sent without waiting for the replies.
#![expect(missing_docs, reason = "the bindings are generated")]

#[path = "../resp/mod.rs"]
mod resp;

use std::error::Error;

use asyncio_streams::args;
use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use futures::future::try_join;
use wasi::cli::{stdin, stdout};

wit_bindgen::generate!({ path: "wit", world: "application", generate_all });

use asyncio::streams::streams::{
    StreamReader, StreamWriter, from_sink, from_stream, open_unix_connection,
};
use asyncio::streams::types::UnixAddress;
use resp::{Next, Parser, Reply, command};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: redis-client PATH [COMMAND ARG...], or -x PATH COMMAND ARG...";

/// The connection and the standard streams.
struct Client {
    reader: StreamReader,
    writer: StreamWriter,
    input: StreamReader,
    output: StreamWriter,
}

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
    let path = UnixAddress::Path(path.clone().into_bytes());
    let (reader, writer) = open_unix_connection(path, None).await?;
    let (input, _end) = stdin::read_via_stream();
    let (output, printed) = from_sink().await;
    let printed = stdout::write_via_stream(printed);
    let client = Client {
        reader,
        writer,
        input: from_stream(input, None).await?,
        output,
    };
    let refused = match words.is_empty() {
        true => client.pipeline().await,
        false => client.single(words, with_input).await,
    };
    // Printed replies are written out before an error is returned.
    client.output.close();
    let printed = printed.await;
    let refused = refused?;
    printed.map_err(|code| format!("standard output: {code:?}"))?;
    match refused {
        0 => Ok(()),
        _ => Err(format!("commands that the server refused: {refused}").into()),
    }
}

impl Client {
    /// Sends one command and prints its reply. Returns the number of commands that the server
    /// refused, as `pipeline` does.
    async fn single(&self, words: &[String], with_input: bool) -> Result<usize> {
        let mut words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        if with_input {
            words.push(self.input.read(None).await?);
        }
        self.writer.write(&command(&words))?;
        self.writer.drain().await?;
        Ok(usize::from(self.print(self.receive().await?).await?))
    }

    /// Sends the commands of standard input, and prints the replies meanwhile.
    async fn pipeline(&self) -> Result<usize> {
        let (sent, mut expected) = unbounded();
        let sending = async move {
            loop {
                let line = self.input.readline(None).await?;
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
                self.writer.write(&command(&words))?;
                self.writer.drain().await?;
                sent.unbounded_send(())?;
            }
        };
        let receiving = async {
            let mut refused = 0;
            while expected.next().await.is_some() {
                refused += usize::from(self.print(self.receive().await?).await?);
            }
            Result::Ok(refused)
        };
        let ((), refused) = try_join(sending, receiving).await?;
        Ok(refused)
    }

    /// Receives the next reply.
    async fn receive(&self) -> Result<Reply> {
        let mut parser = Parser::default();
        loop {
            let bytes = match parser.next() {
                Next::Line => self.reader.readuntil(vec![b"\r\n".to_vec()], None).await?,
                Next::Exactly(count) => self.reader.readexactly(count as u64).await?,
            };
            if let Some(reply) = parser.take(&bytes)? {
                return Ok(reply);
            }
        }
    }

    /// Prints the reply. Returns true if it is an error of the server.
    async fn print(&self, reply: Reply) -> Result<bool> {
        self.output.write(&reply.raw())?;
        self.output.drain().await?;
        Ok(reply.is_error())
    }
}

asyncio_streams::run!(program);
