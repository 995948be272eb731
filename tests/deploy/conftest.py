"""Places that the checks of deploy/ share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="session")
def longhaul() -> str:
    """Path of the built program."""
    return os.environ["LONGHAUL_BINARY"]


@pytest.fixture(scope="session")
def clean() -> dict[str, str]:
    """Environment without settings of Longhaul or of Compose."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("LONGHAUL_", "POSTGRES_", "COMPOSE_"))}
