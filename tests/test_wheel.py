"""What is installed from a wheel is whole: every file that the packages read is in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "bench", "fixtures", "geo", "solver", "sufficiency")


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for page in ("api/web/dist/index.html", "api/web/dist/assets/page.js.br", "sufficiency/outputs/map/dist/page.html"):
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        (source / page).touch()  # as `make web` leaves them, whether or not it was run here
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(tmp_path)]
    ran = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    files = {path.relative_to(source).as_posix() for name in PACKAGES for path in (source / name).rglob("*") if path.is_file()}
    assert "api/store/migrations/script.py.mako" in files
    assert files - packed == set()
