"""What comes along for operators agrees with the program, as far as tools here can tell."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exchange.metrics import Metrics
from exchange.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
NAME = re.compile(r"exchange_[a-z_]+")


def served_names() -> set[str]:
    """Return the names of all that /metrics shows, as soon as there is something to count."""
    metrics = Metrics()
    metrics.count_request("GET", "/", 200, 0.1)
    names = set()
    for line in metrics.render().decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            names |= {name} if kind != "histogram" else {f"{name}_bucket"}
    return names


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    return list(found["groups"][0]["rules"])


def test_alerts_ask_for_metrics_that_are_served() -> None:
    asked = {name for rule in rules() for name in NAME.findall(rule["expr"])}

    assert len(asked) > 5
    assert asked <= served_names()


def test_panels_ask_for_metrics_that_are_served() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "exchange.json").read_text())
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]

    asked = {name for expression in expressions for name in NAME.findall(expression)}
    assert len(asked) > 8
    assert asked <= served_names()


def test_every_alert_says_what_to_do() -> None:
    assert {rule["alert"] for rule in rules()} >= {
        "MoneyAppearedOrVanished",
        "SequenceGap",
        "CommitsLag",
        "MarketHalted",
    }
    assert all(rule["annotations"]["action"] for rule in rules())


def run(*command: str, **env: str) -> None:
    program = shutil.which(command[0])
    if program is None:
        if "CI" in os.environ:
            pytest.fail(f"{command[0]} is not installed")
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    tested = yaml.safe_load((DEPLOY / "alerts.test.yml").read_text())["tests"]
    fired = {
        case["alert_rule_test"][0]["alertname"]
        for case in tested
        if case["alert_rule_test"][0]["exp_alerts"]
    }

    assert fired == {rule["alert"] for rule in rules()}
    run("promtool", "test", "rules", "deploy/alerts.test.yml")


def test_prometheus_takes_its_configuration() -> None:
    run("promtool", "check", "config", "deploy/prometheus.yml")


def settings_named(text: str) -> set[str]:
    return set(re.findall(rf"{PREFIX}[A-Z_]+", text))


@pytest.mark.parametrize("file", ["Dockerfile", "docker-compose.yml", "deploy/exchange.service"])
def test_only_settings_that_exist_are_named(file: str) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}

    named = settings_named((ROOT / file).read_text())
    assert named
    assert named <= known


def test_no_password_is_written_down() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert re.fullmatch(r"\$\{[A-Z_]+:\?.*\}", value), name


def test_all_that_is_listened_on_is_loopback() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
