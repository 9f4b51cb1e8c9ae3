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


def _voxels() -> np.ndarray:
    """Return a tiny volume as a file that is mapped: the compiler tells read-only ones apart."""
    voxels = np.zeros((2, 2, 2), np.int16)
    voxels.flags.writeable = False
    return voxels


@cache
def load_kernels() -> Any:
    """Return `reconstruction.kernels`, compiled and ready; blocks for seconds the first time.

    Raises ImportError when the compiler is not there (`check_system` says so beforehand).
    """
    kernels = import_module("reconstruction.kernels")
    voxels, out = _voxels(), np.empty((1, 1), np.float32)
    nothing = np.zeros(0)
    table = (nothing, nothing.astype(np.bool_), 1.0)
    lines = (np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3)))
    kernels.cut(voxels, table, lines, np.zeros(1), kernels.MEAN, out)
    return kernels


@cache
def load_rays() -> Any:
    """Return `reconstruction.rays`; as `load_kernels`."""
    rays = import_module("reconstruction.rays")
    voxels, first = _voxels(), np.zeros(1, np.int64)
    low, high = np.zeros((1, 1, 1), np.int16), np.zeros((1, 1, 1), np.int16)
    table = (np.zeros(0), 0.0, 1.0)
    # Nothing is inside of these walls: no ray has a sample.
    walls = np.tile([0.0, 0.0, 0.0, -1.0], (6, 1))
    grid = (np.zeros(3), np.zeros((2, 3)), np.zeros(3), 1.0, walls)
    seen = (np.zeros((1, 1, 1), np.uint8), 0.0, 1.0)
    lookup = (np.zeros((2, 4), np.float32), 0.0, 1.0)
    lights = (np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    rays.measure_bricks(voxels, first, first, 0, low, high)
    picture = np.empty((1, 1), np.float32)
    rays.project(voxels, table, grid, (low, high, 0.0, 1.0), rays.MIP, 0, picture)
    colours = np.empty((1, 1, 3), np.uint8)
    rays.composite(voxels, table, grid, seen, lookup, lights, 0, colours)
    return rays


@cache
def load_mesh_kernels() -> Any:
    """Return `reconstruction.mesh_kernels`; blocks for seconds where nothing is compiled yet.

    Raises ImportError when the compiler is not there.
    """
    return import_module("reconstruction.mesh_kernels")


@cache
def load_projections() -> Any:
    """Return `reconstruction.projection_kernels`; as `load_kernels`."""
    kernels = import_module("reconstruction.projection_kernels")
    voxels = _voxels()
    flat, lines = voxels.reshape(2, 4), np.zeros((2, 2), np.int32)
    kernels.extreme_of_slices(flat, True, np.zeros(4, np.int16))
    kernels.sum_of_slices(flat, np.zeros(4, np.int32))
    kernels.along_rows(voxels, kernels.MIP, lines)
    kernels.along_columns(voxels, kernels.MIP, lines)
    views = (np.zeros(1, np.bool_), np.zeros(1), np.zeros(1, np.int64))
    # Threads share the slices: each has a part of what lies further apart in memory.
    starts, found = np.zeros((2, 4))[:, :2], np.zeros((2, 4, 1), np.int16)[:, :2]
    kernels.turn(voxels, views, (starts[:1], np.ones(1)), 0, found[:1])
    return kernels
