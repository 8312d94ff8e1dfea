"""Named templates of the library, each alone, through a chart that only calls them."""

import functools
import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from charting import CHARTS, RELEASE, Refused, Values, digest, render_folder

PROBE = Path(__file__).parent / "fixtures/lib-probe"
HUB = "docker" + ".io"
FULL_MAP = {f"{HUB}/library": "mirror.example/library", HUB: "mirror.example/hub", "ghcr.example": "mirror.example/g"}
POSTGRES = {"repository": "postgres", "digest": digest("postgres"), "tag": "18", "registry": ""}
VALKEY = {"repository": "valkey/valkey", "digest": digest("valkey/valkey"), "tag": "", "registry": ""}
API = {"repository": "signalink/api", "digest": "", "tag": "", "registry": ""}


@functools.cache
def folder() -> Path:
    place = Path(tempfile.mkdtemp(prefix="signalink-probe-")) / "lib-probe"
    shutil.copytree(PROBE, place)
    shutil.copytree(CHARTS / "lib", place / "charts/signalink-lib", ignore=shutil.ignore_patterns("schemas"))
    return place


def probe(release: str = RELEASE, **values: Any) -> dict[str, str]:
    data: dict[str, str] = render_folder(folder(), values, release).one("ConfigMap")["data"]
    return data


def image(values: dict[str, Any], **others: Any) -> str:
    return probe(images=[values], **{"global": others})["images"].strip()


def test_a_name_is_release_and_chart() -> None:
    assert probe()["fullname"] == "chat-lib-probe"
    assert probe(nameOverride="other")["fullname"] == "chat-other"
    assert probe(fullnameOverride="mine")["fullname"] == "mine"
    assert probe()["host"] == "chat-postgres.signalink.svc.cluster.local"


def test_the_longest_release_names_give_legal_names_that_differ() -> None:
    services = ["api", "notifications", "x" * 30]
    releases = ["a" * 53, "a" * 52 + "b", "b" * 53, "a" * 21 + "-" + "a" * 31]
    names = list(itertools.chain(*(probe(release, names=services)["names"].split() for release in releases)))
    assert len(set(names)) == len(releases) * len(services)
    assert all(len(name) <= 45 and "--" not in name and name[0].isalpha() for name in names)


@pytest.mark.parametrize(
    ("asked", "given", "there"),
    [
        (["apps/v1"], [], True),
        (["monitoring.coreos.com/v1"], [], False),
        (["monitoring.coreos.com/v1"], ["monitoring.coreos.com/v1"], True),
        (["apps/v1", "x/v1"], ["y/v1"], False),
    ],
)
def test_an_api_is_there_by_the_cluster_or_by_the_list(asked: list[str], given: list[str], there: bool) -> None:
    values: Values = {"apis": asked, "global": {"apiVersions": given}}
    assert (probe(**values)["has"] == "true") == there


def test_an_image_is_named_by_its_digest() -> None:
    assert image(POSTGRES) == f"postgres:18@{digest('postgres')}"
    assert image(VALKEY) == f"valkey/valkey@{digest('valkey/valkey')}"
    assert image(API, imageDigests={"signalink/api": digest("a")}) == f"signalink/api:0.1.0@{digest('a')}"
    with pytest.raises(Refused, match=r"image\.digest is missing for signalink/api"):
        image(API)


def test_images_go_by_tag_only_when_asked_and_others_only_without_a_digest() -> None:
    assert image(API, devImages=True) == "signalink/api:0.1.0"
    assert image(API, devImages=True, imageTag="f1612d8") == "signalink/api:f1612d8"
    assert image(POSTGRES | {"digest": ""}, devImages=True) == "postgres:18"
    assert image(POSTGRES, devImages=True) == f"postgres:18@{digest('postgres')}"
    with pytest.raises(Refused, match=r"image\.digest is missing for postgres"):
        image(POSTGRES | {"digest": "", "tag": ""}, devImages=True)


def test_a_registry_goes_before_every_name() -> None:
    assert image(POSTGRES, imageRegistry="mirror.example/x").startswith("mirror.example/x/postgres:18@")
    assert image(POSTGRES | {"registry": "own.example"}, imageRegistry="mirror.example").startswith(
        "own.example/postgres:"
    )


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (POSTGRES, "mirror.example/library/postgres"),
        (VALKEY, "mirror.example/hub/valkey/valkey"),
        (POSTGRES | {"registry": "ghcr.example"}, "mirror.example/g/postgres"),
    ],
)
def test_a_full_map_leaves_no_host_as_it_was(values: dict[str, Any], name: str) -> None:
    assert image(values, imageMap=FULL_MAP).startswith(f"{name}")


def test_the_longest_prefix_of_whole_parts_wins() -> None:
    mapped = {"": "all.example", "valkey": "v.example", "val": "wrong.example"}
    assert image(VALKEY, imageMap=mapped).startswith("v.example/valkey@")
    assert image(POSTGRES, imageMap=mapped).startswith("all.example/postgres:")


def test_numbers_of_configurations_have_no_exponent() -> None:
    assert probe()["numbers"] == "2097152 0.5 x"
