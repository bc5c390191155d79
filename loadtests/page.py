"""Shows matching throughput on Locust's own page, in its report and in its CSV files."""

import csv
import io
import json
from html import escape
from pathlib import Path

from flask import Response, request
from locust.env import Environment
from locust.web import WebUI

from loadtests.options import thresholds
from loadtests.run import RUN, Row
from loadtests.thresholds import broken

KEY, TITLE = "matching", "Matching"
CSV_PATH = "/matching.csv"
COLUMNS = (
    ("name", "What"),
    ("clients_now", "Clients, last 10 s"),
    ("clients_run", "Clients, whole run"),
    ("server_now", "Server, last 10 s"),
    ("server_run", "Server, whole run"),
)


def extend_page(page: WebUI, environment: Environment) -> None:
    """Add a tab, a CSV file and a section of the report."""
    app = page.app
    assert app is not None, "the page was made a moment ago"
    page.template_args |= {
        "extended_tabs": [{"title": TITLE, "key": KEY}],
        "extended_tables": [
            {"key": KEY, "structure": [{"key": key, "title": title} for key, title in COLUMNS]}
        ],
        "extended_csv_files": [{"href": CSV_PATH, "title": "Download matching CSV"}],
    }

    @app.after_request
    def extend(response: Response) -> Response:
        if request.path == "/stats/requests":
            rows = [row._asdict() for row in rows_of(environment)]
            stats = {"extended_stats": [{"key": KEY, "data": rows}]}
            response.set_data(json.dumps({**response.get_json(), **stats}))
        elif request.path == "/stats/report" and response.status_code == 200:
            response.set_data(with_section(response.get_data(as_text=True), rows_of(environment)))
        return response

    @app.route(CSV_PATH)
    @page.auth_required_if_enabled
    def matching_csv() -> Response:
        return Response(as_csv(rows_of(environment)), mimetype="text/csv")


def rows_of(environment: Environment) -> list[Row]:
    """Return what the run shows, and whether it keeps its thresholds."""
    assert environment.parsed_options is not None, "Locust was started from its command line"
    missed = broken(thresholds(environment.parsed_options), RUN.result(environment))
    verdict = "; ".join(missed) or "kept"
    return [*RUN.rows(environment), Row("thresholds", "", verdict, "", "")]


def write_reports(environment: Environment, rows: list[Row]) -> None:
    """Put the rows into the files that were asked for with --html and --csv."""
    options = environment.parsed_options
    assert options is not None, "Locust was started from its command line"
    if options.html_file and Path(options.html_file).exists():
        report = Path(options.html_file)
        report.write_text(with_section(report.read_text("utf-8"), rows), "utf-8")
    if options.csv_prefix:
        Path(f"{options.csv_prefix}_matching.csv").write_text(as_csv(rows), "utf-8")


def as_csv(rows: list[Row]) -> str:
    """Return the rows as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(key for key, _ in COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def with_section(html: str, rows: list[Row]) -> str:
    """Return Locust's report with a table at its end."""
    head = "".join(f"<th>{escape(title)}</th>" for _, title in COLUMNS)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    section = (
        '<section id="matching" style="max-width:1152px;margin:2em auto;font-family:sans-serif">'
        f"<h2>{TITLE}</h2><table cellpadding=8><tr>{head}</tr>{lines}</table></section>"
    )
    # The script of the report holds "</body>" too, perhaps: the last one ends the page.
    before, end, after = html.rpartition("</body>")
    return f"{before}{section}{end}{after}"
