"""The parts of the benchmark that need no server."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmarks.archive import Study, fill, studies
from benchmarks.cold_start import Imported, imported
from benchmarks.costs import Cost
from benchmarks.data import Slice, Template
from benchmarks.first_byte import Waited
from benchmarks.growth import Grown, Growth
from benchmarks.limits import FILES_EIGHT, Limit
from benchmarks.measuring import Measured, percentile
from benchmarks.profiles import Profile
from benchmarks.report import Run, page, picture
from benchmarks.side_by_side import Row
from benchmarks.spelling import all_different
from benchmarks.works import WORKS, Asked, Work
from shared.dicom.conditions import Equal, Range
from shared.dicom.model import Level
from shared.dicom.scanner import scan
from shared.storage.index.model import DEFAULT_PARTITION, Scope, Search
from shared.storage.index.sqlite import SqliteIndex


def measured(rate: float) -> Measured:
    return Measured(rate, 0.001, 0.002, 0.003, 2**20)


def row(name: str, bar: float | None, ours: float, peer: float | None) -> Row:
    work = Work(name, Asked.STORES, bar, FILES_EIGHT, WORKS[0].run)
    return Row(work, "Peer", [measured(ours)], {"Peer": [] if peer is None else [measured(peer)]})


def test_no_two_spellings_are_alike_and_all_mean_the_same() -> None:
    paths = ["/studies?PatientID=P100", "/series/1/metadata?unused=abc&more=defgh"]
    made = all_different([*paths, paths[0]], 32)
    assert len(set(made)) == len(made) == 32
    assert {unquote(each) for each in made} == set(paths)


def test_a_template_makes_the_slices_it_is_asked_for() -> None:
    wanted = Slice(7, 3)
    dataset = scan(Template(16).file(wanted)).dataset
    assert dataset["00080018"]["Value"] == [wanted.instance_uid]
    assert dataset["00100020"]["Value"] == [wanted.patient]


async def test_an_archive_finds_as_much_at_every_size(tmp_path: Path) -> None:
    await fill(tmp_path / "index.sqlite", 12 * 80)
    assert studies(12 * 80) == [Study(number) for number in range(12)]
    index = SqliteIndex(tmp_path / "index.sqlite")
    await index.open()
    third, everything = Study(3), Scope(DEFAULT_PARTITION)
    by_patient = await index.search(Search(Level.STUDY, everything, (Equal("00100020", (third.patient.lower(),)),)))
    of_day = await index.search(Search(Level.STUDY, everything, (Range("00080020", third.day, third.day),)))
    series = await index.search(Search(Level.INSTANCE, Scope(DEFAULT_PARTITION, third.uid, f"{third.uid}.0")))
    await index.close()
    assert (by_patient.total, of_day.total, series.total) == (2, 5, 40)


def test_what_is_imported_is_timed() -> None:
    found = imported(1, {})
    assert 0.01 < found.seconds[0] < 60
    assert "azure.functions" in dict(found.costliest)


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.5, 3), (0.99, 5)])
def test_percentiles(part: float, value: float) -> None:
    assert percentile([5, 1, 4, 2, 3], part) == value


def test_a_page_tells_which_bars_are_met() -> None:
    growth = Growth("by PatientID", [[measured(100)], [measured(90)]])
    run = Run(
        machine="a machine\n",
        rounds=1,
        limits=[Limit(FILES_EIGHT, 1000.0)],
        rows=[row("a", 2.0, 300, 100), row("b", 4.0, 300, 100), row("c", 4.0, 300, None), row("d", None, 300, 100)],
        profiles={1: Profile()},
        grown=Grown((10, 20), [growth], (2**20, 2**20)),
        waits=[Waited("metadata", [0.2], [0.01], 0.5)],
        costs=[Cost("frame", "frame", 0.001, {"GET": 1.0}, {}, "no round trip", True)],
        imports={"all": Imported([0.5], [0.4], [("pydantic", 0.1)])},
    )
    told = page(run)
    assert "4 of 6 bars are met. Missed: b; first byte: metadata." in told
    assert "| 3.0 × | ≥ 2 × | met |" in told
    assert "| 3.0 × | ≥ 4 × | **missed** |" in told
    assert "can't" in told
    assert "The limit here: files of 512 KiB written and fsynced, 8 writers, 1,000 1/s." in told
    assert picture(run.rows).count("<rect") == 4
