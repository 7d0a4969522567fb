"""The embedded host: ``python -m local`` serves the Function App over a folder and SQLite."""

import argparse
import asyncio
import ipaddress
import logging
import os
import socket
import sys
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from functions.gate import access
from local import rebuilding
from local.sending.arguments import DESCRIPTION, add_arguments
from shared.errors import StorageError
from shared.services.context import close_services, open_services, process
from shared.settings import settings
from shared.storage.adapters import is_folder

GRACE_SECONDS = 30
MOST_CONNECTIONS = 512
"""Of one worker. Most systems let a process have 1024 files open, and it needs some for what it stores."""
LONGEST_WAIT = 60
"""Seconds for the head of a request, or the next one; the server takes no more."""


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    storage = argparse.ArgumentParser(add_help=False)
    storage.add_argument("--data", type=Path, default=Path("data"), help="folder of blobs and index (default: ./data)")
    storage.add_argument("--blobs", help="where blobs are kept (default: DICOM_BLOBS, else the folder DATA/blobs)")
    storage.add_argument("--index", help="where the index is kept (default: DICOM_INDEX, else DATA/index.sqlite)")
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__, parents=[storage])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="TCP port (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="worker processes (default: one a core)")
    commands = parser.add_subparsers(dest="command", title="other commands", metavar="")
    commands.add_parser("rebuild", help=rebuilding.__doc__, description=rebuilding.__doc__, parents=[storage])
    add_arguments(commands.add_parser("store", help="Send DICOM files to a service.", description=DESCRIPTION))
    chosen = parser.parse_args()
    if chosen.command == "store":
        return chosen
    if not is_free(chosen.host, chosen.port):
        parser.error(f"{chosen.host} can't be listened on, or something listens on port {chosen.port} already")
    if chosen.workers < 1:
        parser.error("--workers takes a whole number from 1")
    return chosen


def is_loopback(host: str) -> bool:
    """Whether every address that ``host`` stands for is this machine's own."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address).split("%")[0]).is_loopback for address in found)


def is_free(host: str, port: int) -> bool:
    """Whether nothing listens there: the server would share the port, and half the requests would go astray."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError):
        return False
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except (OSError, OverflowError):
            return False
    return True


def configure(chosen: argparse.Namespace) -> None:
    """Hand the choices to the worker processes as settings."""
    _default("DICOM_BLOBS", chosen.data / "blobs", chosen.blobs)
    _default("DICOM_INDEX", chosen.data / "index.sqlite", chosen.index)
    _default("DICOM_AUDIT", chosen.data / "audit")
    _default("DICOM_CORS_ORIGINS", "loopback")
    if is_folder(os.environ["DICOM_BLOBS"]):
        _default("DICOM_INBOX", chosen.data / "inbox")
    os.environ["DICOM_LOCAL_DATA"] = str(chosen.data)


def _default(setting: str, default: object, option: str | None = None) -> None:
    """The option wins over what is set, and that over the default."""
    os.environ[setting] = option or os.environ.get(setting) or str(default)


def admission(host: str) -> str:
    """Who will be let in, in words. Raises ValueError if the settings are wrong, or let in all who reach the host."""
    if not access().open:
        return f"Requests need a token of {' or '.join(settings().issuers)}."
    if not is_loopback(host):
        raise ValueError(
            "DICOM_ISSUERS and DICOM_AUDIENCES are not set, so anyone could do everything: "
            "the service listens on loopback addresses only."
        )
    return "Open access: no issuer of tokens is set, so anyone on this machine may do everything."


async def try_storage() -> None:
    """Open and close what the settings name, so that a mistake in them is told before any worker starts."""
    opened = await open_services(settings())
    try:
        await process.audit().check()
    finally:
        await close_services(opened)
        await process.close()


def main() -> None:
    """Run the command that was asked for; without one, serve until interrupted."""
    chosen = arguments()
    if chosen.command == "store":
        from local.sending.command import main as store  # the server's processes need none of it

        sys.exit(store(chosen))
    configure(chosen)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if chosen.command == "rebuild":
        sys.exit(rebuilding.main())
    serve(chosen)


def serve(chosen: argparse.Namespace) -> None:
    """Serve until interrupted; requests under way are then finished."""
    try:
        admitted = admission(chosen.host)
    except ValueError as error:
        sys.exit(str(error))
    try:
        asyncio.run(try_storage())
    except StorageError as error:
        sys.exit(f"The storage can't be opened: {error.detail}")
    url = f"http://{f'[{chosen.host}]' if ':' in chosen.host else chosen.host}:{chosen.port}"
    print(f"Serving DICOMweb at {url}/v2, data in {chosen.data.resolve()}, {chosen.workers} workers. Ctrl-C stops.")
    print(admitted)
    if inbox := settings().inbox:
        print(f"Files dropped into {Path(inbox).resolve() if is_folder(inbox) else inbox} are imported.")
    sys.stdout.flush()
    Server(
        "local.app:create_app",
        factory=True,
        address=chosen.host,
        port=chosen.port,
        interface=Interfaces.ASGI,
        workers=chosen.workers,
        workers_kill_timeout=GRACE_SECONDS,
        respawn_failed_workers=True,
        websockets=False,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=round(1000 * min(settings().idle_seconds, LONGEST_WAIT))),
        backpressure=MOST_CONNECTIONS,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
