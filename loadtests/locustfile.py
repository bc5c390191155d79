"""What Locust loads: users, the shape, and what happens around a run."""

import logging
import sys
from time import monotonic
from typing import Any

import gevent
from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.web import WebUI

from loadtests.options import TOKEN_VARIABLE, add_options, thresholds
from loadtests.page import extend_page, rows_of, write_reports
from loadtests.provision import Admin, ProvisionError
from loadtests.rest_users import RestCanceler, RestMaker, RestTaker, RestWatcher
from loadtests.run import RUN
from loadtests.server_metrics import fetch
from loadtests.shapes import users_at
from loadtests.socket_users import SocketCanceler, SocketMaker, SocketTaker, SocketWatcher
from loadtests.thresholds import broken

__all__ = [
    "RestCanceler",
    "RestMaker",
    "RestTaker",
    "RestWatcher",
    "SocketCanceler",
    "SocketMaker",
    "SocketTaker",
    "SocketWatcher",
]
LOOK_SECONDS = 1
_log = logging.getLogger("loadtests")


class Shape(LoadTestShape):
    """Asks the chosen shape how many users there should be."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Return how many users are wanted, and how fast; `None` ends the run."""
        assert self.runner is not None, "Locust sets it"
        options = self.runner.environment.parsed_options
        assert options is not None, "Locust was started from its command line"
        if RUN.impossible:
            RUN.impossible = False  # The page may try again.
            return None
        most = options.num_users or 1
        users = users_at(options.shape, self.get_run_time(), options.run_time, most)
        return None if users is None else (users, float(options.spawn_rate or most))


@events.init_command_line_parser.add_listener
def _add_options(parser: LocustArgumentParser, **_: Any) -> None:  # noqa: ANN401  Locust may add more.
    add_options(parser)


@events.init.add_listener
def _start(environment: Environment, web_ui: WebUI | None, **_: Any) -> None:  # noqa: ANN401
    if web_ui is not None:
        extend_page(web_ui, environment)
    if not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(_watch_server, environment)


def _watch_server(environment: Environment) -> None:
    """Look at /metrics while a run goes on."""
    while True:
        if RUN.running:
            _look(environment)
        gevent.sleep(LOOK_SECONDS)


def _look(environment: Environment) -> None:
    try:
        RUN.look(fetch(environment.host or "", monotonic()))
    except (OSError, ValueError) as error:
        _log.warning("cannot read /metrics: %s", error)


@events.test_start.add_listener
def _prepare(environment: Environment, **_: Any) -> None:  # noqa: ANN401
    options = environment.parsed_options
    assert options is not None, "Locust was started from its command line"
    RUN.begin(None)
    try:
        admin = _admin(environment)
        RUN.begin(admin.make_world(max(1, options.markets), max(2, options.accounts)))
    except ProvisionError as error:
        # The users that Locust starts now stop at once, as they find no world; so does the shape.
        RUN.impossible = True
        _fail(environment, f"cannot prepare the exchange: {error}")
        return
    if not isinstance(environment.runner, WorkerRunner):
        _look(environment)


@events.test_stop.add_listener
def _clean_up(environment: Environment, **_: Any) -> None:  # noqa: ANN401
    if not RUN.running:
        return
    if not isinstance(environment.runner, WorkerRunner):
        _look(environment)
    RUN.end()
    try:
        admin = _admin(environment)
        admin.leave(RUN.world)
        if not isinstance(environment.runner, MasterRunner | WorkerRunner):
            for currency in admin.unbalanced():
                _fail(environment, f"{currency} does not sum to zero")
    except ProvisionError as error:
        _log.warning("cannot clean up: %s", error)


@events.quitting.add_listener
def _judge(environment: Environment, **_: Any) -> None:  # noqa: ANN401
    if isinstance(environment.runner, WorkerRunner):
        return
    write_reports(environment, rows_of(environment))
    for row in RUN.rows(environment):
        sys.stderr.write(f"{row.name:<42}" + "".join(f"{value:>12}" for value in row[1:]) + "\n")
    assert environment.parsed_options is not None, "Locust was started from its command line"
    for sentence in broken(thresholds(environment.parsed_options), RUN.result(environment)):
        _fail(environment, sentence)
    if environment.process_exit_code is None and environment.runner is not None:
        # Failures within the limit are no reason to fail, which Locust takes them for.
        environment.process_exit_code = 1 if environment.runner.exceptions else 0


@events.report_to_master.add_listener
def _report(data: dict[str, Any], **_: Any) -> None:  # noqa: ANN401
    data["trades"] = RUN.take_unreported()


@events.worker_report.add_listener
def _take_report(data: dict[str, Any], **_: Any) -> None:  # noqa: ANN401
    RUN.count_trades(data["trades"], reported=True)


def _admin(environment: Environment) -> Admin:
    options = environment.parsed_options
    if options is None or not options.admin_token:
        raise ProvisionError(f"it needs an admin's token: --admin-token or {TOKEN_VARIABLE}")
    if not environment.host:
        raise ProvisionError("it needs the exchange's address: --host")
    return Admin(environment.host, options.admin_token)


def _fail(environment: Environment, sentence: str) -> None:
    """Let the run end with exit code 1, and say why."""
    _log.error("FAILED: %s", sentence)
    environment.process_exit_code = 1
