"""Which addresses a call may be connected to: the public ones, and the company's own where that is wanted. Pure.

In: an IP address, however it is spelled. Out: yes or no. Link-local addresses, where clouds keep their
credentials, are never reached; neither are those that lead to one from within an IPv6 address.
"""

import ipaddress

CREDENTIALS = {  # addresses of clouds for their own machines, beside link-local ones
    ipaddress.ip_address(host) for host in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
}
IPV4_WITHIN = [  # IPv6 networks whose last 32 bits are an IPv4 address: RFC 4291, 6052, 8215
    ipaddress.IPv6Network(network) for network in ("::/96", "64:ff9b::/96", "64:ff9b:1::/96")
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def may_reach(host: str, private: bool) -> bool:
    """Whether a call may be connected to an IP address; `private` opens the company's own network."""
    address = _innermost(ipaddress.ip_address(host.partition("%")[0]))
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in CREDENTIALS:
        return False
    return private or (address.is_global and not getattr(address, "is_site_local", False))


def is_private(host: str | None) -> bool:
    """Whether a host says by itself that it is in the company's own network."""
    try:
        return not ipaddress.ip_address(host or "").is_global
    except ValueError:
        return host == "localhost"


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does: 127.0.0.1 of ::ffff:127.0.0.1."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    within = address.ipv4_mapped or address.sixtofour
    if within is None and int(address) > 1 and any(address in network for network in IPV4_WITHIN):
        within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address if within is None else within
