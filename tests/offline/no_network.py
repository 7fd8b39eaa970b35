"""No way out: after :func:`install`, connecting to another host raises.

Loopback and local sockets stay open, since Jupyter kernels talk to their client through them.
"""

import ipaddress
import socket

MESSAGE = "no test and no notebook may reach the network; this one tried {}"


class NetworkForbidden(RuntimeError):
    """Raised in place of a connection to another host."""


def is_local(host):
    if isinstance(host, bytes):
        host = host.decode()
    if host in ("", None, "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False  # a name: looking it up would already be a request
    return address.is_loopback or address.is_unspecified


def install():
    """Replace the ways to connect and to look names up; a second call changes nothing."""
    if getattr(socket.socket.connect, "guarded", False):
        return

    def guarded(original):
        def connect(self, address, *rest):
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
                raise NetworkForbidden(MESSAGE.format(address[0]))
            return original(self, address, *rest)

        connect.guarded = True
        return connect

    socket.socket.connect = guarded(socket.socket.connect)
    socket.socket.connect_ex = guarded(socket.socket.connect_ex)
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *rest, **options):
        if not is_local(host):
            raise NetworkForbidden(MESSAGE.format(host))
        return look_up(host, *rest, **options)

    socket.getaddrinfo = getaddrinfo
