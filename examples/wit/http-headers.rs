//! The reference's third program as a component written against the WIT: it
//! imports `asyncio:streams` and never sees a socket.
//!
//! Argument: a URL.
#![expect(missing_docs, reason = "the bindings are generated")]

#[path = "../urlsplit/mod.rs"]
mod urlsplit;

use asyncio_streams::println;

wit_bindgen::generate!({ path: "wit", world: "application", generate_all });

use asyncio::streams::ssl::{Side, SslContext};
use asyncio::streams::streams::{ConnectOptions, Port, open_connection};
use urlsplit::urlsplit;

async fn print_http_headers(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let url = urlsplit(url)?;
    let (default, options) = if url.scheme == "https" {
        let options = ConnectOptions::new();
        options.set_ssl(&SslContext::new(Side::Client));
        (443, Some(options))
    } else {
        (80, None)
    };
    let port = Port::Number(url.port.unwrap_or(default));
    let (reader, writer) = open_connection(Some(url.hostname.into()), port, options).await?;

    let query = format!(
        "HEAD {} HTTP/1.0\r\n\
         Host: {}\r\n\
         \r\n",
        url.path, url.host
    );

    writer.write(query.as_bytes())?;
    loop {
        let line = reader.readline(None).await?;
        if line.is_empty() {
            break;
        }

        // Latin-1, as in HTTP: each byte is the character of its number.
        let line: String = line.into_iter().map(char::from).collect();
        let line = line.trim_end();
        if !line.is_empty() {
            println!("HTTP header> {line}");
        }
    }

    // Ignore the body, close the socket
    writer.close();
    Ok(())
}

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let url = asyncio_streams::args().nth(1);
    let url = url.ok_or("usage: http-headers URL, such as http://example.com/path/page.html")?;
    print_http_headers(&url).await
}

asyncio_streams::run!(program);
