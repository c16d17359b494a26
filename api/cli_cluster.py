"""`plait scheduler` and `plait worker`: a cluster's processes, from the command line.

    plait scheduler --host 10.0.0.5 --tls-cert cert.pem --tls-key key.pem --token-file token
    plait worker "tls://10.0.0.5:8786?token_file=token" --threads 4 --resources GPU=1

The scheduler prints the address that workers and `plait.connect` take. What a command needs is
imported when it runs: the grammar is read by `plait sql` too, which is to be quick.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

from plait.config import parse_bytes
from plait.errors import ConfigError

_USABLE = 0.7


def run_scheduler(options: argparse.Namespace) -> int:
    """`plait scheduler`."""
    from plait.scheduler import server
    from plait.scheduler.net.address import Address

    logging.basicConfig(level=options.log.upper())
    token = _token(options) or server.new_token()
    settings = server.Settings(
        *(options.host, options.port, token, options.tls_cert, options.tls_key, options.tls_ca),
        options.dashboard,
    )

    def listening(port: int, dashboard: str) -> None:
        host = options.host
        if host in ("0.0.0.0", "::", ""):
            host = socket.gethostname()
        where = Address(host, port, bool(options.tls_cert), token)
        print(where.url, flush=True)
        if dashboard:
            print(f"dashboard: {dashboard}", flush=True)

    try:
        server.serve(settings, listening)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The scheduler cannot start: {error}") from error
    return 0


def run_worker(options: argparse.Namespace) -> int:
    """`plait worker`."""
    from plait.scheduler.host import available_cpus
    from plait.scheduler.net.address import Address, parse
    from plait.scheduler.plan import Plan, environment
    from plait.scheduler.supervisor import Supervisor
    from plait.scheduler.worker_options import Options

    logging.basicConfig(level=options.log.upper())
    token = _token(options)
    try:
        address = parse(options.address)
        if token:
            address = Address(*(address.host, address.port, address.tls, token))
        threads = options.threads or max(1, available_cpus() // options.workers)
        offered = Options(
            *(threads, _memory(options), options.scratch, _resources(options.resources)),
            *(options.host, options.port),
            *(options.tls_cert, options.tls_key, options.tls_ca),
        )
        name = options.name or f"{socket.gethostname()}-{os.getpid()}"
        os.environ.update(environment(threads, os.environ))
        sys.path.insert(0, os.getcwd())
        Supervisor(Plan(options.workers, "", name, offered), address).run(None)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The worker cannot start: {error}") from error
    return 0


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two commands' grammar."""
    scheduler = commands.add_parser("scheduler", help="run the scheduler of a cluster")
    scheduler.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    scheduler.add_argument("--port", type=int, default=8786, help="(8786); 0: any that is free")
    scheduler.add_argument(
        "--dashboard", type=int, metavar="PORT", help="serve a dashboard; 0: any port that is free"
    )
    _add_security(scheduler)
    scheduler.set_defaults(run=run_scheduler)

    worker = commands.add_parser("worker", help="run workers of a cluster on this machine")
    worker.add_argument("address", help="what the scheduler printed: tcp://... or tls://...")
    worker.add_argument("--workers", type=int, default=1, help="processes (1)")
    worker.add_argument("--threads", type=int, help="of each; by default all processors")
    worker.add_argument("--memory-limit", default="auto", help="of each: bytes, '8GiB', auto, none")
    worker.add_argument("--scratch", help="folder for results that do not fit into memory")
    worker.add_argument("--resources", action="append", default=[], metavar="NAME=AMOUNT")
    worker.add_argument("--host", default="127.0.0.1", help="where others reach it (127.0.0.1)")
    worker.add_argument("--port", type=int, default=0, help="any that is free")
    worker.add_argument("--name", help="of the supervisor; workers are called after it")
    _add_security(worker)
    worker.set_defaults(run=run_worker)


def _add_security(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--token", help="who does not know it is not let in; seen in `ps`: better")
    parser.add_argument("--token-file", type=Path, help="a file with the token; or PLAIT_TOKEN")
    parser.add_argument("--tls-cert", default="", help="certificate (PEM) to listen with")
    parser.add_argument("--tls-key", default="", help="its key (PEM)")
    parser.add_argument("--tls-ca", default="", help="authority that others' certificates need")
    parser.add_argument(
        "--log", default="warning", choices=("debug", "info", "warning", "error"), help="(warning)"
    )


def _token(options: argparse.Namespace) -> str:
    if options.token_file is not None:
        try:
            return str(options.token_file.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise ConfigError(f"{options.token_file} cannot be read: {error.strerror}") from error
    return options.token or os.environ.get("PLAIT_TOKEN", "")


def _memory(options: argparse.Namespace) -> int | None:
    limit: str = options.memory_limit
    if limit == "none":
        return None
    if limit == "auto":
        from plait.scheduler.host import available_memory

        return int(_USABLE * available_memory()) // int(options.workers)
    return parse_bytes(limit)


def _resources(given: list[str]) -> tuple[tuple[str, float], ...]:
    found = {}
    for text in given:
        name, equals, amount = text.partition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            equals = ""
        if not name or not equals:
            raise ConfigError(f"--resources takes NAME=AMOUNT, such as GPU=1, not {text!r}")
    return tuple(sorted(found.items()))
