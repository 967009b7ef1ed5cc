"""A test of a cluster's address by a process of its own.

If a cluster does not answer as it should, Ray's C++ part may end the process that connects, and
print its stack. The process of the test ends then, in place of the search.
"""

import os
import re
import subprocess
import sys

from search_spaces.declaration import InvalidInput

_SECONDS = 90
_CONNECT = (
    "import logging, sys, ray\n"
    "ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)\n"
    "ray.nodes()\n"
)
# Ray itself waits a minute for each part of a cluster.
_IMPATIENT = {
    "RAY_gcs_rpc_server_connect_timeout_s": "10",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_raylet_start_wait_time_s": "10",
}
_ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Timeout)\w*: (.+)")


def check_connection(address: str) -> None:
    """Raise InvalidInput, with one line, unless a process on this machine can use a cluster.

    address: what `ray.init` takes. The test takes some seconds, at most 90. `auto` means
    $RAY_ADDRESS if that variable is set; the message then names the variable.
    """
    command = [sys.executable, "-c", _CONNECT, address]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            env={**_IMPATIENT, **os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidInput(_refused(address, f"no answer in {_SECONDS} s")) from None
    if answer.returncode:
        raise InvalidInput(_refused(address, _reason(answer.stderr, answer.returncode)))


def _reason(printed: str, code: int) -> str:
    """Return why a connection failed: the last error that Ray has printed, or the exit code."""
    errors = [found[1] for line in printed.splitlines() if (found := _ERROR.match(line))]
    if errors:
        return " ".join(errors[-1].split())[:300]
    return f"the cluster does not answer as it should, and Ray ended with exit code {code}"


def _refused(address: str, reason: str) -> str:
    """Return the message about an address at which no cluster can be used."""
    named = os.environ.get("RAY_ADDRESS") if address == "auto" else None
    where = f"{address!r}, which is {named!r} by RAY_ADDRESS" if named else repr(address)
    return f"no Ray cluster at {where}: {reason}"
