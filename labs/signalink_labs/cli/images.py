"""Owns `signalink images`: list, build, pin and check what containers are made of."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from signalink_labs.cli import output
from signalink_stacks.containers import build as building
from signalink_stacks.containers import pin as pinning
from signalink_stacks.delivery import publish as publishing
from signalink_stacks.lib import images
from signalink_stacks.lib.images import Catalogue

MEGABYTE = 1_000_000
app = typer.Typer(help="The images of charts/images.yaml: list, build, pin, check.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(help="Only these; all without.")]


@app.command("list")
def list_(
    ours: Annotated[bool, typer.Option("--ours", help="Only the repositories of those that are built here.")] = False,
    as_json: output.Json = False,
) -> None:
    """Every image with its reference and licence."""
    catalogue = images.load()
    if ours and not as_json:
        for image in catalogue.services():
            output.text(image.repository)
        return
    if as_json:
        output.document({"images": [image.model_dump() | {"reference": image.reference} for image in catalogue]})
        return
    output.console().print(table(catalogue))
    output.text(f"{len(catalogue.images)} images, {len(catalogue.unpinned())} without a digest")


@app.command("build")
def build(
    names: Names = None,
    tag: Annotated[str, typer.Option(help="The tag; else the commit.")] = "",
    base_image: Annotated[str, typer.Option(help="Another base than charts/images.yaml's.")] = "",
    extra: Annotated[str, typer.Option(help="`aws`: also what signs in to RDS, ElastiCache and MSK.")] = "",
    as_json: output.Json = False,
) -> None:
    """Build our images with the Docker Engine that is here."""
    catalogue = images.load()
    source = building.source(images.root())
    say = (lambda _: None) if as_json else output.text
    made = building.run(
        building.chosen(catalogue, names or []),
        catalogue,
        source,
        tag=tag or source.tag,
        base=base_image,
        extra=building.extra_of(extra),
        say=say,
    )
    sizes = {reference: building.size(reference) for reference in made}
    if as_json:
        output.document({"images": [{"reference": each, "bytes": size} for each, size in sizes.items()]})
        return
    for reference, size in sizes.items():
        output.text(f"  {reference:<44} {size / MEGABYTE:6.0f} MB")


@app.command("pin")
def pin(
    names: Names = None,
    again: Annotated[bool, typer.Option("--again", help="Ask also for those that have a digest.")] = False,
    values: Annotated[
        Path | None, typer.Option(help="Write the digests to this file as Helm values, and change nothing else.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Ask the registry for digests, by crane, skopeo or docker buildx, and write them down."""
    catalogue = images.load()
    found = pinning.find(pinning.chosen(catalogue, names or [], again=again), pinning.asker())
    if values is not None:
        values.write_text(pinning.values(catalogue, found), encoding="utf-8")
    else:
        pinning.write(images.root(), found)
    if as_json:
        output.document({"digests": found})
        return
    for name, digest in found.items():
        output.text(f"  {name:<18} {digest}")
    output.text(f"{len(found)} digests written to {values or images.FILE}. Next: `make docs`")


@app.command("push")
def push(
    registry: Annotated[str, typer.Option(help="Host of the registry, with a path where it has one.")],
    names: Names = None,
    tag: Annotated[str, typer.Option(help="The tag that was built; else the commit.")] = "",
    out: Annotated[
        Path,
        typer.Option(help="Where the digests go, as a stack's key `images` takes them; lists of contents beside it."),
    ] = Path("dist/images.json"),
    ours: Annotated[bool, typer.Option("--ours", help="Leave other people's images out, which are copied.")] = False,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Leave cosign out.")] = False,
    as_json: output.Json = False,
) -> None:
    """Push our images, signed by digest with their lists of contents; copy others; write all digests down."""
    source = building.source(images.root())
    wish = publishing.Wish(
        registry.rstrip("/"),
        tag or source.tag,
        out.parent / "contents",
        signed=not unsigned,
        final=not tag and source.settled,
    )
    say = (lambda _: None) if as_json else output.text
    wanted = publishing.chosen(images.load(), names or [], ours=ours)
    digests = publishing.publish(wanted, wish, pinning.asker(), say)
    registry = wish.registry
    out.write_text(json.dumps({"registry": registry, "digests": digests}, indent=2) + "\n", encoding="utf-8")
    if as_json:
        output.document({"registry": registry, "digests": digests})
        return
    output.text(f"{len(digests)} images are in {registry}; their digests in {out}")


@app.command("check")
def check(
    release: Annotated[bool, typer.Option("--release", help="Refuse an image without a digest.")] = False,
    as_json: output.Json = False,
) -> None:
    """Whether charts/images.yaml is right; with --release also whether every image has a digest."""
    catalogue = images.load(release=release)
    if as_json:
        output.document({"images": len(catalogue.images), "unpinned": catalogue.unpinned()})
        return
    output.text(f"{len(catalogue.images)} images are as they should be; {len(catalogue.unpinned())} have no digest")


def table(catalogue: Catalogue) -> Table:
    result = Table(box=None, pad_edge=False)
    for heading in ("name", "image", "licence", "digest"):
        result.add_column(heading)
    for image in catalogue:
        result.add_row(image.name, f"{image.repository}:{image.tag}", image.licence, image.digest[7:19] or "none")
    return result
