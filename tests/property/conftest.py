"""The world of the crash machine is a module of this folder, which is no package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("crash_world", "crash_estate")
