"""`kokeshi dashboards`: the charts of evaluations for Kibana and for OpenSearch Dashboards."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.markup import escape

from kokeshi.cli.common import JsonOption, out, print_json
from kokeshi.cli.judged import ForceOption
from kokeshi.errors import InputError
from kokeshi_eval.dashboards import Dashboards, Product, build_ndjson, import_objects
from kokeshi_eval.files import write_bytes

app = typer.Typer(
    help="Charts of saved evaluations in Kibana and OpenSearch Dashboards.", no_args_is_help=True
)


class _Product(str, Enum):
    kibana = "kibana"
    opensearch_dashboards = "opensearch-dashboards"


ProductOption = Annotated[
    _Product, typer.Option("--product", envvar="KOKESHI_DASHBOARDS_PRODUCT", help="Which one.")
]


def _variable(name: str, help: str) -> typer.models.OptionInfo:  # noqa: A002
    variable = f"KOKESHI_DASHBOARDS_{name.upper()}"
    option = f"--{name.replace('_', '-')}"
    return cast(
        "typer.models.OptionInfo",
        typer.Option(option, envvar=variable, help=help, show_default=False),
    )


@app.command()
def export(
    product: ProductOption = _Product.kibana,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file, *.ndjson; else standard output."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write the dashboard with all it needs as saved objects, which its Import button takes."""
    content = build_ndjson(_name(product))
    if output is None:
        sys.stdout.buffer.write(content)
        return
    if output.suffix != ".ndjson":
        raise InputError(f"{output}: a file of saved objects must be named *.ndjson (--output)")
    write_bytes(output, content, force=force)
    out.print(f"Wrote {escape(str(output))}.", soft_wrap=True)


@app.command("import")
def import_(
    url: Annotated[str, _variable("url", "Its address, such as http://localhost:5601.")],
    product: ProductOption = _Product.kibana,
    space: Annotated[
        str | None, _variable("space", "Kibana's space, or the id of a workspace.")
    ] = None,
    user: Annotated[str | None, _variable("user", "User, with the password.")] = None,
    password: Annotated[
        str | None,
        _variable("password", "Password; a process list shows it, so better as variable."),
    ] = None,
    api_key: Annotated[
        str | None, _variable("api_key", "Kibana's API key; better as variable too.")
    ] = None,
    tenant: Annotated[str | None, _variable("tenant", "Tenant of OpenSearch's security.")] = None,
    ca_file: Annotated[
        str | None, _variable("ca_file", "Authority of the certificate (PEM).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier import left.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Import the dashboard through the API of a running Kibana or OpenSearch Dashboards."""
    server = Dashboards(
        url,
        _name(product),
        space=space,
        user=user,
        password=password,
        api_key=api_key,
        tenant=tenant,
        ca_file=ca_file,
    )
    imported = import_objects(server, overwrite=overwrite)
    if json:
        print_json({"url": url, "imported": imported})
    else:
        out.print(f"Imported {imported} objects: open the dashboard 'Kokeshi: ranking changes'.")


def _name(product: _Product) -> Product:
    return product.value
