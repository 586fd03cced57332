"""Building and finding kernels, with a source tree that "compiles" in milliseconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.commands.main import main
from bench.kernels import build as building
from bench.kernels import images, vm
from bench.kernels.recipe import KERNEL_DIR, key_of, patches_in, recipe
from bench.model import Exit, UserError

MAKEFILE = """
tinyconfig:
\techo CONFIG_TINY=y > $(O)/.config
olddefconfig:
\tsed -i '/CONFIG_UNKNOWN/d' $(O)/.config
bzImage:
\t@echo "  CC      a.o"
\t@cat $(CURDIR)/message
\t@$(COMMAND)
\tmkdir -p $(O)/arch/x86/boot $(O)/include/config
\techo kernel > $(O)/arch/x86/boot/bzImage
\techo 6.12.0-fake > $(O)/include/config/kernel.release
"""

MERGE = """#!/bin/sh
# merge_config.sh -m -O OUT BASE FRAGMENT...
out=$3; shift 3
cat "$@" > "$out/merged" && mv "$out/merged" "$out/.config"
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake source tree; $COMMAND runs in the middle of its compilation."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COMMAND", "true")
    monkeypatch.setattr(building, "_check_tools", lambda: None)
    source = tmp_path / "source"
    (source / "scripts/kconfig").mkdir(parents=True)
    (source / "Makefile").write_text(MAKEFILE)
    (source / "Kbuild").touch()
    (source / "message").write_text("hello\n")
    merge = source / "scripts/kconfig/merge_config.sh"
    merge.write_text(MERGE)
    merge.chmod(0o755)
    (tmp_path / "fragment").write_text("CONFIG_A=y\n# a comment\nCONFIG_B=n\n")
    return source


def build(tree: Path, **options: object) -> images.Image:
    settings: dict[str, object] = {"source": tree, "config": tree.parent / "fragment", **options}
    return building.build("fake", **settings)  # type: ignore[arg-type]


def patches_of(tree: Path, text: str) -> Path:
    directory = tree.parent / "patches"
    directory.mkdir(exist_ok=True)
    (directory / "0001-message.patch").write_text(textwrap.dedent(text))
    return directory


GOOD_PATCH = """\
    --- a/message
    +++ b/message
    @@ -1 +1 @@
    -hello
    +goodbye
    """


def leftovers() -> list[str]:
    """What is in the cache apart from complete entries and logs; it need not be there."""
    return [
        path.name
        for path in images.cache_dir().glob("*")
        if path.name != "logs" and not (path / "build.json").exists()
    ]


def test_build_is_found_again_by_its_content(tree: Path) -> None:
    first = build(tree)
    assert first.path.read_text() == "kernel\n"
    assert first.release == "6.12.0-fake"
    stamp = first.path.stat().st_mtime_ns
    assert build(tree) == first
    assert first.path.stat().st_mtime_ns == stamp
    assert images.locate("fake") == first
    assert images.locate(first.key) == first
    assert images.list_images() == [first]
    assert leftovers() == []


def test_another_configuration_is_another_image(tree: Path) -> None:
    first = build(tree)
    (tree.parent / "fragment").write_text("CONFIG_A=y\nCONFIG_C=y\n")
    second = build(tree)
    assert second.key != first.key
    assert images.locate("fake") == second


def test_a_changed_tree_is_another_image(tree: Path) -> None:
    first = build(tree)
    (tree / "message").write_text("changed\n")
    assert build(tree).key != first.key


def test_patches_apply_to_a_copy_of_the_tree(tree: Path) -> None:
    image = build(tree, patches=patches_of(tree, GOOD_PATCH))
    assert image.patches == ("0001-message.patch",)
    assert (tree / "message").read_text() == "hello\n"
    assert "goodbye" in image.path.with_name("build.log").read_text()


def test_commit_message_of_a_patch_does_not_make_another_image(tree: Path) -> None:
    patch = "diff --git a/message b/message\n" + textwrap.dedent(GOOD_PATCH)
    first = build(tree, patches=patches_of(tree, "Subject: one\n\n" + patch))
    second = build(tree, patches=patches_of(tree, "Subject: two\n\n" + patch))
    assert first.key == second.key
    third = build(tree, patches=patches_of(tree, "Subject: two\n\n" + patch.replace("bye", "")))
    assert third.key != first.key


def test_patch_that_does_not_apply_shows_the_hunk_and_the_log(tree: Path) -> None:
    patches = patches_of(tree, GOOD_PATCH.replace("-hello", "-other"))
    wanted = r"apply 0001-message.patch: message: hunk 1 at line 1 does not apply; log: /"
    with pytest.raises(UserError, match=wanted) as caught:
        build(tree, patches=patches)
    assert Path(str(caught.value).rpartition("log: ")[2]).is_file()
    assert leftovers() == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("lab", ["config"]),
        ("lab-debug", ["config", "config.debug"]),
        ("lab-dear", ["config", "config.dear"]),
    ],
)
def test_each_image_of_the_lab_has_its_configuration(
    tree: Path, name: str, wanted: list[str]
) -> None:
    assert [path.name for path in recipe(name, tree).config] == wanted


def test_first_real_error_of_a_compilation_is_shown(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "message").write_text(
        "fs/a.c:1:2: warning: odd\nfs/a.c:7:3: error: no such thing\nfs/b.c:1:1: error: later\n"
    )
    monkeypatch.setenv("COMMAND", "false")
    with pytest.raises(UserError, match=r"compile: fs/a\.c:7:3: error: no such thing; log: "):
        build(tree)
    assert leftovers() == []
    assert images.list_images() == []


def test_a_disk_that_fills_up_while_compiling_is_the_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "message").write_text("fs/a.c:7:3: fatal error: write a.o: No space left on device\n")
    monkeypatch.setenv("COMMAND", "false")
    with pytest.raises(UserError, match=r"compile: .*No space left on device; log: "):
        build(tree)
    assert leftovers() == []


def test_a_log_that_cannot_be_written_ends_the_build_with_a_line(tree: Path) -> None:
    what = recipe("fake", tree, tree.parent / "fragment", None)
    log = images.cache_dir() / "logs" / f"fake-{key_of(what)}.log"
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"cannot build fake: No space left on device: /"):
        build(tree)
    assert leftovers() == []


@pytest.mark.parametrize("patched", [False, True])
def test_a_directory_that_is_no_kernel_is_refused(tree: Path, patched: bool) -> None:
    (tree / "Kbuild").unlink()
    options = {"patches": patches_of(tree, GOOD_PATCH)} if patched else {}
    with pytest.raises(UserError, match=f"not a kernel source tree: {tree}"):
        build(tree, **options)
    assert leftovers() == []


def test_a_file_that_is_no_tarball_shows_what_tar_said(tree: Path) -> None:
    (tree.parent / "linux.tar.xz").write_text("not one")
    with pytest.raises(UserError, match=r"extract source: (tar|xz): .*; log: /"):
        build(tree, source=tree.parent / "linux.tar.xz")
    assert leftovers() == []


def test_option_that_kconfig_drops_is_an_error(tree: Path) -> None:
    (tree.parent / "fragment").write_text("CONFIG_A=y\nCONFIG_UNKNOWN=y\n")
    with pytest.raises(UserError, match="does not accept CONFIG_UNKNOWN=y"):
        build(tree)


def test_progress_names_the_stages(tree: Path) -> None:
    seen: list[building.BuildProgress] = []
    build(tree, progress=seen.append)
    assert {progress.stage for progress in seen} >= {"configure", "compile"}
    assert seen[-1].steps == 1


def test_interrupt_leaves_no_half_written_entry_and_no_child(tree: Path) -> None:
    mark = str(tree.parent / "running")
    script = (
        "import sys; from bench.commands import main; from bench.kernels import build\n"
        "build._check_tools = lambda: None\n"
        "words = ['kernel', 'build', 'fake', '--source', sys.argv[1], '--config', sys.argv[2]]\n"
        "sys.exit(main.main(words))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tree), str(tree.parent / "fragment")],
        env={**os.environ, "COMMAND": f"echo $$PPID > {mark}; sleep 1000"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not Path(mark).exists() or not Path(mark).read_text().strip():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert told.splitlines()[-1] == "bench: interrupted"
    assert "Traceback" not in told
    make = int(Path(mark).read_text())
    assert (
        not Path(f"/proc/{make}").exists() or "make" not in Path(f"/proc/{make}/comm").read_text()
    )
    assert leftovers() == []
    assert images.list_images() == []


def test_two_who_want_the_same_image_build_it_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first, says so, and finds what it built."""
    count, go = tree.parent / "count", tree.parent / "go"
    monkeypatch.setenv("COMMAND", f"echo x >> {count}; while ! test -e {go}; do sleep 0.05; done")
    stages: list[str] = []

    def waits(now: building.BuildProgress) -> None:
        stages.append(now.stage)
        go.touch()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(build, tree)
        while not count.exists():
            time.sleep(0.01)
        second = pool.submit(build, tree, progress=waits)
        assert first.result(20) == second.result(20)
    assert count.read_text() == "x\n"
    assert set(stages) == {"wait for another build"}


def test_unknown_name_says_what_there_is(tree: Path) -> None:
    build(tree)
    with pytest.raises(UserError, match=r"no kernel 'other'.*built: fake.*kernel build other"):
        images.locate("other")


def test_built_tree_is_located_by_its_directory(tree: Path) -> None:
    image = tree / "arch/x86/boot/bzImage"
    image.parent.mkdir(parents=True)
    image.touch()
    assert images.locate(str(tree)).path == image
    assert images.locate(str(image)).path == image


def test_missing_source_and_empty_patch_directory(tree: Path) -> None:
    with pytest.raises(UserError, match="no kernel source at"):
        build(tree, source=tree / "nowhere")
    with pytest.raises(UserError, match=r"no \*.patch file in"):
        build(tree, patches=tree)


def test_our_patch_series_has_no_trailing_surprises() -> None:
    patches = patches_in(KERNEL_DIR / "patches")
    assert [patch.name[:5] for patch in patches] == [
        f"{number:04}-" for number in range(1, len(patches) + 1)
    ]
    for patch in patches:
        text = patch.read_text()
        assert "Signed-off-by: " in text, patch.name


def test_a_probe_is_remembered_by_its_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One boot for an image, another for another image, or where it is asked for."""
    boots = []
    variant = {"variant": "", "level": "rw", "readdir": False, "reasons": []}
    answer = {"release": "6.12", "settings": {}, "variants": [variant]}

    def boot(image: images.Image, _command: list[str], *, share: Path, **_more: object) -> object:
        boots.append(image.path.name)
        (share / "probe.json").write_text(json.dumps(answer))
        return SimpleNamespace(ok=True)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vm, "boot", boot)
    monkeypatch.setattr(vm, "accelerator_for", lambda _image: (vm.TCG, "no kvm here"))
    (tmp_path / "one").write_bytes(b"one")
    (tmp_path / "two").write_bytes(b"two")
    said = []
    for words in (["one"], ["one"], ["one", "--json"], ["two"], ["one", "--again"]):
        assert main(["kernel", "probe", str(tmp_path / words[0]), *words[1:]]) == 0
        said.append(capsys.readouterr().out)
    assert boots == ["one", "two", "one"]
    assert said[0] == said[1] == said[4]
    assert "booted with tcg (no kvm here)" in said[0]
    assert "as booted: level rw, readdir by the server" in said[0]
    spoilt = next((tmp_path / "cache").rglob("probes/*"))
    spoilt.write_text('{"release": "6.12"}')
    boots.clear()
    main(["kernel", "probe", str(tmp_path / "one")])
    main(["kernel", "probe", str(tmp_path / "two")])
    assert len(boots) == 1
