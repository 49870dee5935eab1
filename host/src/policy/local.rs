use std::net::IpAddr;

use ipnet::IpNet;

use super::Special;

/// The addresses of the machine's own interfaces, with the networks that are reached on their
/// links. They are [special](Special), public or not: only the machine's neighbours should
/// reach what listens there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalNetworks(Vec<IpNet>);

impl LocalNetworks {
    /// Returns true if no address is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the special range of an address, those of this machine included.
    #[must_use]
    pub fn special(&self, address: IpAddr) -> Option<(Special, IpNet)> {
        let address = address.to_canonical();
        if let Some(found) = Special::of(address) {
            return Some(found);
        }
        if self.0.iter().any(|own| own.addr() == address) {
            return Some((Special::OwnAddress, IpNet::from(address)));
        }
        // The network of all addresses, as of some tunnels, says nothing.
        let mut linked = self.0.iter().filter(|own| own.prefix_len() > 0);
        let network = linked.find(|own| own.contains(&address))?;
        Some((Special::OnLink, network.trunc()))
    }
}

impl FromIterator<IpNet> for LocalNetworks {
    /// Takes the address of each interface, with the length of its network's prefix.
    fn from_iter<T: IntoIterator<Item = IpNet>>(addresses: T) -> Self {
        Self(addresses.into_iter().collect())
    }
}
