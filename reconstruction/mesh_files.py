"""Surfaces as files: binary STL in lps mm, and GLB (glTF 2.0) in metres."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from reconstruction.surfaces import Mesh, iter_pieces

STL_TYPE, GLB_TYPE = "model/stl", "model/gltf-binary"
# Triangles that are written at one time.
_PIECE = 65_536
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
# glTF's axes are y up, z towards the reader, in metres: x stays the patient's left, y is the
# head, z the front.
GLTF_FROM_LPS = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64) / 1000


def write_stl(mesh: Mesh, path: Path) -> None:
    """Write binary STL; coordinates are lps in mm."""
    with path.open("wb") as file:
        file.write(b"Noctis surface, LPS, mm".ljust(80, b" "))
        file.write(struct.pack("<I", len(mesh.faces)))
        for first, last in iter_pieces(len(mesh.faces), _PIECE):
            corners = mesh.points[mesh.faces[first:last]]
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            lengths = np.linalg.norm(normals, axis=1, keepdims=True)
            piece = np.zeros(last - first, _STL_TRIANGLE)
            piece["normal"] = normals / np.where(lengths > 0, lengths, 1)
            piece["corners"] = corners
            file.write(piece.tobytes())


def normals_of(mesh: Mesh) -> np.ndarray:
    """Return the direction outwards at each vertex, triangles weighing by their area."""
    normals = np.zeros_like(mesh.points)
    for first, last in iter_pieces(len(mesh.faces), _PIECE):
        faces = mesh.faces[first:last]
        a, b, c = (mesh.points[faces[:, corner]] for corner in range(3))
        outwards = np.cross(b - a, c - a)
        for corner in range(3):
            for axis in range(3):
                normals[:, axis] += np.bincount(
                    faces[:, corner], outwards[:, axis], minlength=len(normals)
                )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(lengths > 0, lengths, 1)


def write_glb(mesh: Mesh, path: Path, *, name: str, colour: tuple[float, float, float]) -> None:
    """Write one mesh with one material; `colour` is linear, 0 to 1."""
    turn = GLTF_FROM_LPS
    points = (mesh.points @ turn.T).astype("<f4")
    normals = (normals_of(mesh) @ (turn * 1000).T).astype("<f4")
    faces = mesh.faces.astype("<u4")
    blobs = [points.tobytes(), normals.tobytes(), faces.tobytes()]
    starts = np.cumsum([0, *(len(blob) for blob in blobs)]).tolist()
    about = {
        "asset": {"version": "2.0", "generator": "Noctis"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [
            {
                "name": name,
                "primitives": [
                    {"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0}
                ],
            }
        ],
        "materials": [
            {
                "name": name,
                "doubleSided": True,
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*colour, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.6,
                },
            }
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": len(points),
                "type": "VEC3",
                "min": points.min(axis=0).tolist(),
                "max": points.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": 5126, "count": len(normals), "type": "VEC3"},
            {"bufferView": 2, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": len(blob), "target": target}
            for start, blob, target in zip(starts, blobs, (34962, 34962, 34963), strict=False)
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }
    head = json.dumps(about, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    with path.open("wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(head) + 8 + starts[-1]))
        file.write(struct.pack("<I4s", len(head), b"JSON") + head)
        file.write(struct.pack("<I4s", starts[-1], b"BIN\0"))
        for blob in blobs:
            file.write(blob)
