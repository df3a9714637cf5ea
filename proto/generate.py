"""Generates the Python code of the .proto files beside this one: python proto/generate.py [OUTPUT]."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
#: The name under which the files import each other, and so the package of the generated modules.
VIRTUAL = "rungmaster/proto"


def generate(output: Path) -> None:
    """Writes the modules below `output`, which stands for the folder that holds `rungmaster/`'s parent."""
    sources = [f"{VIRTUAL}/{path.relative_to(HERE).as_posix()}" for path in sorted(HERE.glob("v*/*.proto"))]
    status = protoc.main(
        [
            "protoc",
            f"-I{VIRTUAL}={HERE}",
            f"-I{files('grpc_tools') / '_proto'}",
            f"--python_out={output}",
            f"--pyi_out={output}",
            f"--grpc_python_out={output}",
            *sources,
        ]
    )
    if status:
        raise SystemExit(status)


def main() -> None:
    """Generates into a folder of its own, or over the committed files."""
    with tempfile.TemporaryDirectory() as place:
        generate(Path(place))
        target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
        shutil.copytree(Path(place) / VIRTUAL, target, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
