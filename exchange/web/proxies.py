"""Whose request it is: the peer's own address, or the one that a trusted proxy says it is for."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from aiohttp import web

from exchange.web.plain import PlainRequest

FORWARDED_FOR = "X-Forwarded-For"
FORWARDED_PROTO = "X-Forwarded-Proto"

_Address: TypeAlias = IPv4Address | IPv6Address


class Proxies:
    """The networks whose `X-Forwarded-For` is believed; without any, nobody's is."""

    def __init__(self, networks: str) -> None:
        """Take networks (CIDR) or addresses, separated by commas; `ValueError` if one is none."""
        self._networks = [ip_network(text.strip()) for text in networks.split(",") if text.strip()]

    def trust(self, address: str) -> bool:
        """Say whether an address is that of a trusted proxy."""
        parsed = parse_address(address) if self._networks else None
        return parsed is not None and self._holds(parsed)

    def client(self, request: web.BaseRequest | PlainRequest) -> str:
        """Return the address that a request counts for.

        Each proxy adds, at the end, where it got the request from; so what stands to the left of
        the first address that is no trusted proxy's may be anything, and is not looked at.
        """
        address = request.remote or ""
        if not self._networks or not self.trust(address):
            return address
        hops = ",".join(request.headers.getall(FORWARDED_FOR, ())).split(",")
        for hop in reversed(hops):
            parsed = parse_address(hop.strip())
            if parsed is None:
                break
            address = str(parsed)
            if not self._holds(parsed):
                break
        return address

    def is_secure(self, request: web.BaseRequest | PlainRequest) -> bool:
        """Say whether a request came over TLS, which a trusted proxy ends for us."""
        said = request.headers.getall(FORWARDED_PROTO, ())
        return [text.strip().lower() for text in said] == ["https"] and self.trust(
            request.remote or ""
        )

    def _holds(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def parse_address(text: str) -> _Address | None:
    """Return an address as it is compared, or `None` for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # How a server that listens on IPv6 and IPv4 alike sees its IPv4 peers.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
