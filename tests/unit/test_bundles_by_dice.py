"""Three hundred of the bundles that ``bundles_by_dice.py`` plays by the thousand."""

from __future__ import annotations

import bundles_by_dice as dice
from damaged_bundles import DAMAGES, Good

SEED, CASES = 7, 300


def test_no_bundle_does_harm() -> None:
    """Nothing written elsewhere, one line, exit code 2, memory and time bounded."""
    done = dice.campaign(SEED, list(range(CASES)), lambda _case: None)
    assert [(case.number, case.damage, case.wrong) for case in done if case.wrong] == []
    assert {case.damage for case in done} == set(DAMAGES)
    assert any(case.taken for case in done)


def test_a_case_is_the_same_whenever_it_is_asked_for() -> None:
    """Kind and bytes, by seed and number."""

    def made(number: int) -> tuple[str, bytes]:
        case, chance = dice.chosen(SEED, number)
        return case.damage, DAMAGES[case.damage](chance, Good({"run.json": b"{}"}))

    assert [made(number) for number in range(40)] == [made(number) for number in range(40)]


def test_what_is_wrong_is_seen() -> None:
    """A reader that writes beside its folder, prints two lines, or falls over is found out."""
    with dice.placed() as place:
        case, _ = dice.chosen(SEED, 0)
        before = place.seen()
        (place.outside / "evil").write_text("evil")
        assert place.seen() != before
        place.file.write_bytes(b"")
        place.file.unlink()
        place.file.mkdir()
        assert dice.answered(place, case)[0] == 2
        place.file.rmdir()
