//! Checks which addresses are valid. The folder has a file, a link to a socket in use, a
//! socket whose listener is gone, and a socket at which the test listens.

use super::Folder;
use super::support::{Address, ErrorCode, SocketError, UnixSocket, connect, path, text};
use crate::checks::Outcome;

checks! {
    an_address_that_can_be_none_is_invalid
    what_is_not_granted_is_denied
    a_path_with_a_parent_folder_is_denied
    parts_that_say_nothing_are_left_out
    nothing_is_found_where_nothing_is
    a_file_is_no_socket_and_stays
    a_link_is_denied_wherever_it_leads
    a_socket_without_its_listener_refuses_and_is_replaced
    an_address_with_a_listener_is_in_use
    an_abstract_name_has_a_grant_of_its_own
}

async fn an_address_that_can_be_none_is_invalid(folder: Folder) -> Outcome {
    let long = "x".repeat(108);
    let mut addresses = vec![Address::Unnamed];
    for name in ["", "relative.sock", &format!("{}/a\0b.sock", folder.0)] {
        addresses.push(path(name));
    }
    addresses.push(folder.at(&format!("{long}.sock")));
    addresses.push(Address::Abstract(long.into_bytes()));
    let socket = UnixSocket::create()?;
    for address in addresses {
        fails!(socket.bind(&address), ErrorCode::InvalidAddress(_));
        fails!(socket.connect(address).await, ErrorCode::InvalidAddress(_));
    }
    socket.bind(&folder.at("new.sock"))?;
    Ok(())
}

async fn what_is_not_granted_is_denied(folder: Folder) -> Outcome {
    for address in [
        folder.at("other"),
        folder.at("folder/a.sock"),
        path("/a.sock"),
        Address::Abstract(b"somebody's".to_vec()),
    ] {
        denied(address).await?;
    }
    Ok(())
}

async fn a_path_with_a_parent_folder_is_denied(folder: Folder) -> Outcome {
    denied(folder.at("folder/../live.sock")).await
}

/// Checks that the address can neither be bound nor connected to.
async fn denied(address: Address) -> Outcome {
    let socket = UnixSocket::create()?;
    fails!(
        socket.bind(&address),
        ErrorCode::Socket(SocketError::AccessDenied)
    );
    fails!(
        socket.connect(address).await,
        ErrorCode::Socket(SocketError::AccessDenied)
    );
    Ok(())
}

async fn parts_that_say_nothing_are_left_out(folder: Folder) -> Outcome {
    let socket = folder.bound(".//./plain.sock")?;
    same!(
        text(socket.get_local_address()?),
        text(folder.at("plain.sock"))
    );
    connect(&path(&format!("//{}/./live.sock", folder.0))).await?;
    Ok(())
}

async fn nothing_is_found_where_nothing_is(folder: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    let nowhere = folder.at("nowhere/a.sock");
    fails!(socket.bind(&nowhere), ErrorCode::NotFound);
    fails!(socket.connect(nowhere).await, ErrorCode::NotFound);
    let socket = UnixSocket::create()?;
    fails!(
        socket.connect(folder.at("nothing.sock")).await,
        ErrorCode::NotFound
    );
    Ok(())
}

async fn a_file_is_no_socket_and_stays(folder: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    fails!(socket.bind(&folder.at("file.sock")), ErrorCode::NotASocket);
    fails!(
        socket.connect(folder.at("file.sock")).await,
        ErrorCode::NotASocket
    );
    Ok(())
}

async fn a_link_is_denied_wherever_it_leads(folder: Folder) -> Outcome {
    denied(folder.at("link.sock")).await
}

async fn a_socket_without_its_listener_refuses_and_is_replaced(folder: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    fails!(
        socket.connect(folder.at("left.sock")).await,
        ErrorCode::Socket(SocketError::ConnectionRefused)
    );
    let mut listener = folder.listener("left.sock")?;
    listener.pair().await?;
    Ok(())
}

async fn an_address_with_a_listener_is_in_use(folder: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    for _ in 0..2 {
        fails!(
            socket.bind(&folder.at("live.sock")),
            ErrorCode::Socket(SocketError::AddressInUse)
        );
    }
    // The file is still there.
    connect(&folder.at("live.sock")).await?;
    // A socket of this program, which does not listen yet.
    let bound = folder.bound("ours.sock")?;
    fails!(
        socket.bind(&folder.at("ours.sock")),
        ErrorCode::Socket(SocketError::AddressInUse)
    );
    drop(bound);
    socket.bind(&folder.at("ours.sock"))?;
    Ok(())
}

/// The test grants an abstract name, which is the path of the folder.
async fn an_abstract_name_has_a_grant_of_its_own(folder: Folder) -> Outcome {
    let address = Address::Abstract(folder.0.into_bytes());
    let socket = UnixSocket::create()?;
    socket.bind(&address)?;
    same!(text(socket.get_local_address()?), text(address.clone()));
    let again = UnixSocket::create()?;
    fails!(
        again.bind(&address),
        ErrorCode::Socket(SocketError::AddressInUse)
    );
    fails!(
        again.connect(address.clone()).await,
        ErrorCode::Socket(SocketError::ConnectionRefused)
    );
    let mut connections = socket.listen()?;
    let client = connect(&address).await?;
    same!(text(client.get_remote_address()?), text(address));
    let accepted = connections.next().await;
    ensure!(accepted.is_some(), "nothing was accepted");
    Ok(())
}
