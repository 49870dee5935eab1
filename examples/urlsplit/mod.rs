//! The part of Python's `urllib.parse.urlsplit` that `http-headers` needs.

/// The parts of `SCHEME://[USER@]HOST[:PORT][/PATH][?QUERY][#FRAGMENT]`.
pub(crate) struct Url<'a> {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The host as the URL has it: an IPv6 address is in brackets.
    pub(crate) host: &'a str,
    /// The host without brackets.
    pub(crate) hostname: &'a str,
    pub(crate) port: Option<u16>,
    /// The path; `/` if the URL has none.
    pub(crate) path: &'a str,
}

/// Splits a URL. Query and fragment are dropped, as in the reference.
pub(crate) fn urlsplit(url: &str) -> Result<Url<'_>, String> {
    let wrong = |what: &str| format!("{url:?} is no URL: {what}");
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(
            "write spaces and what is not ASCII as %20 and the like",
        ));
    }
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| wrong("it begins with http:// or https://"))?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => "http",
        "https" => "https",
        _ => return Err(wrong("it begins with http:// or https://")),
    };
    let (netloc, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let netloc = netloc.rsplit_once('@').map_or(netloc, |(_, netloc)| netloc);
    let (host, port) = match netloc.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (netloc, ""),
    };
    let hostname = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .ok_or_else(|| wrong("an IPv6 address stands in brackets"))?,
        None => host,
    };
    if hostname.is_empty() {
        return Err(wrong("the host is missing"));
    }
    if host == hostname && hostname.contains([':', '[', ']']) {
        return Err(wrong("an IPv6 address stands in brackets"));
    }
    let port = match port {
        "" => None,
        _ => match port.parse() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(wrong("the port is a number from 1 to 65535")),
        },
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Ok(Url {
        scheme,
        host,
        hostname,
        port,
        path: if path.is_empty() { "/" } else { path },
    })
}
