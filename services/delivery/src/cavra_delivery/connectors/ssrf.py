"""Where a connector may send: which URLs say plainly where they lead, and which addresses may be connected to."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

Reach = Literal["public", "private", "never"]

_V4: Final[dict[IPv4Network, Reach]] = {
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "private",  # Carrier-grade NAT.
    IPv4Network("127.0.0.0/8"): "private",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("0.0.0.0/8"): "never",
    IPv4Network("100.100.100.200/32"): "never",  # Metadata of one cloud; the one below serves another's.
    IPv4Network("168.63.129.16/32"): "never",
    IPv4Network("169.254.0.0/16"): "never",  # Link-local, and with it the metadata of most clouds.
    IPv4Network("192.0.0.0/24"): "never",
    IPv4Network("192.0.2.0/24"): "never",
    IPv4Network("192.88.99.0/24"): "never",  # Relays to 6to4.
    IPv4Network("198.18.0.0/15"): "never",
    IPv4Network("198.51.100.0/24"): "never",
    IPv4Network("203.0.113.0/24"): "never",
    IPv4Network("224.0.0.0/3"): "never",  # Multicast, reserved, broadcast.
}
_V6: Final[dict[IPv6Network, Reach]] = {
    IPv6Network("2000::/3"): "public",
    IPv6Network("::1/128"): "private",
    IPv6Network("fc00::/7"): "private",
    IPv6Network("fd00:ec2::/32"): "never",  # Metadata.
    IPv6Network("fd20:ce::/32"): "never",
    IPv6Network("2001::/23"): "never",  # Teredo and other protocols' own.
    IPv6Network("2001:db8::/32"): "never",
    IPv6Network("2002::/16"): "never",  # 6to4.
    IPv6Network("3fff::/20"): "never",
}
"""Of IANA's registries of special-purpose addresses; the narrowest range that holds an address counts.

Outside the listed ranges IPv4 is public and IPv6 is nobody's: IPv4-mapped, IPv4-compatible, NAT64, link-local, multicast.
"""

_ISATAP: Final = re.compile(rb"[\x00\x02]\x00\x5e\xfe")
_VISIBLE: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"\[[0-9a-f:.]+\](:[0-9]+)?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


@lru_cache(1024)
def reach(address: str) -> Reach:
    """Who may connect to an IP address: every connector, one whose configuration allows private networks, or none."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return _narrowest_v4(found)
    if _ISATAP.fullmatch(found.packed[8:12]):
        return "never"
    return _narrowest_v6(found)


def _narrowest_v4(address: IPv4Address) -> Reach:
    holding = [network for network in _V4 if address in network]
    return _V4[max(holding, key=lambda network: network.prefixlen)] if holding else "public"


def _narrowest_v6(address: IPv6Address) -> Reach:
    holding = [network for network in _V6 if address in network]
    return _V6[max(holding, key=lambda network: network.prefixlen)] if holding else "never"


def may_reach(address: str, private: bool) -> bool:
    """Whether a connector may connect to an address; `private`: whether its configuration allows private networks."""
    found = reach(address)
    return found == "public" or (private and found == "private")


def target(url: str) -> SplitResult:
    """The parts of a URL that every reader of URLs takes for the same. Raises ValueError for any other.

    http or https, a host in ASCII (a name in another script in its A-label form) without userinfo, trailing dot, zone or escapes; an
    IPv4 address in its one dotted form, an IPv6 address in brackets. A fragment is dropped.
    """
    if not _VISIBLE.fullmatch(url):
        raise ValueError("got a URL with blanks, backslashes or other than visible ASCII")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("got a URL of another scheme, expected http or https")
    if "@" in parts.netloc:
        raise ValueError("got a URL with userinfo, expected none")
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError("got a URL without a usable port")
    host = parts.hostname or ""
    if "[" in parts.netloc:
        if not _BRACKETED.fullmatch(parts.netloc):
            raise ValueError("got what is no IPv6 address in brackets, without a zone")
        IPv6Address(host)
    else:
        _check_host(host)
    return parts._replace(fragment="")


def _check_host(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("got what is no host name")
    if _NUMBER.fullmatch(labels[-1]):
        IPv4Address(
            host
        )  # A name that ends in a number is an address, which system libraries read in many forms.
