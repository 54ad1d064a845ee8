"""Turns the errors of sockets and TLS into words: what happened, and what to do next. Decides nothing else."""

from __future__ import annotations

import errno
import socket
import ssl

from vega_client.address import Address
from vega_client.errors import Unreachable


def unreachable(address: Address, error: BaseException) -> Unreachable:
    """The error for a program whose server cannot be reached. Only the kind of `error` gets into it, never its text: that
    could hold what was sent or received."""
    return Unreachable(f"vega-server at {address} cannot be reached: {_cause(error)}", code="unreachable")


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}). Give the authority's file as ca=PATH."
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'}). Is it https that is spoken there?"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved. Check the address and the network."
    if isinstance(error, TimeoutError):
        return "it is silent for too long. Check that it runs, and its log."
    if isinstance(error, FileNotFoundError):
        return "there is no such socket. Start `vega-server`, or give the path that its log names."
    if isinstance(error, PermissionError):
        return "this user may not open it. A [[socket]] rule in vega.toml lets other users in."
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there. Start `vega-server`."
    if isinstance(error, ConnectionError):
        return "the connection was closed. It is being restarted, or it does not let this user in (its audit trail says so)."
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return f"{errno.errorcode[error.errno]}. Check the address and the network."
    return "the answer was cut off or is no HTTP. Is it a vega-server that answers there?"
