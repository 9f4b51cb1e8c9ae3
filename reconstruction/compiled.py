"""The compiled kernels, loaded once a process and only when a volume is wanted."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from archive.caches import cache_root


def code_folder() -> Path:
    """Return where compiled loops are kept: numba's own NUMBA_CACHE_DIR, else in the home."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named) if named else cache_root() / "kernels"


def keep_code(compiler: ModuleType) -> None:
    """Let numba keep what it compiles; called before the first loop is defined."""
    folder = code_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    compiler.config.CACHE_DIR = str(folder)


@cache
def load_kernels() -> Any:
    """Return `reconstruction.kernels`, compiled and ready; blocks for seconds the first time.

    Raises ImportError when the compiler is not there (`check_system` says so beforehand).
    """
    kernels = import_module("reconstruction.kernels")
    voxels, out = np.zeros((2, 2, 2), np.int16), np.empty((1, 1), np.float32)
    # As a file that is mapped: the compiler tells read-only voxels from others.
    voxels.flags.writeable = False
    nothing = np.zeros(0)
    table = (nothing, nothing.astype(np.bool_), 1.0)
    lines = (np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3)))
    kernels.cut(voxels, table, lines, np.zeros(1), kernels.MEAN, out)
    return kernels


@cache
def load_rays() -> Any:
    """Return `reconstruction.rays`, whose loops compile when they are first used."""
    return import_module("reconstruction.rays")


@cache
def load_mesh_kernels() -> Any:
    """Return `reconstruction.mesh_kernels`; blocks for seconds where nothing is compiled yet.

    Raises ImportError when the compiler is not there.
    """
    return import_module("reconstruction.mesh_kernels")


@cache
def load_projections() -> Any:
    """Return `reconstruction.projection_kernels`; as `load_kernels`."""
    load_kernels()
    return import_module("reconstruction.projection_kernels")
