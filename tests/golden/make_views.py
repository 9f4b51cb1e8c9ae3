"""Write `views.json`: a small volume as VTK sees it. Imports nothing of Noctis.

    python make_views.py > views.json        (needs numpy and vtk, and EGL or OSMesa)

The volume: a ball beside a box on the patient's left and a rod towards the head, 0 to 250. Rays are
parallel, a sample each 0.1 mm. Colours are VTK's ray caster's; the highest and the lowest values are
those of a slab of vtkImageReslice, whose numbers are exact.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib

import numpy as np
import vtk
from vtk.util import numpy_support

SHAPE = (22, 30, 26)
SPACING = (1.0, 0.8, 1.5)
ORIGIN = (-12.0, 4.0, -9.0)
SIZE = 56
WIDTH_MM = 44.8
STEP_MM = 0.1
POINTS = [(60, 0.0, "402010"), (110, 0.2, "c08040"), (170, 0.5, "40a0e0"), (250, 0.9, "ffffff")]
SHADE = [0.25, 0.75, 0.2]
VIEWS = {
    "front": ([0, 1, 0], [0, 0, 1]),
    "left": ([-1, 0, 0], [0, 0, 1]),
    "oblique": ([0.5, 0.7, -0.4], [0.1, -0.2, 0.9]),
}
SLAB_SLICES = 901
MAKERS = "vtkImageReslice, vtkFixedPointVolumeRayCastMapper"


def phantom() -> np.ndarray:
    k, j, i = np.indices(SHAPE)
    x, y, z = (n * s + o for n, s, o in zip((i, j, k), SPACING, ORIGIN, strict=True))
    ball = 180 / (1 + np.exp((np.sqrt((x + 3) ** 2 + (y - 15) ** 2 + (z - 4) ** 2) - 5.5) / 0.7))
    box = 250.0 * ((np.abs(x - 7) < 3) & (np.abs(y - 16) < 4) & (np.abs(z - 2) < 5))
    rod = 120.0 * ((np.abs(x + 2) < 2) & (np.abs(y - 10) < 2) & (z > 2) & (z < 20))
    values = np.maximum(ball, np.maximum(box, rod))
    # The outermost voxels are empty: VTK ends at their centres, Noctis half a voxel further.
    for axis in range(3):
        for edge in (0, 1, -1, -2):
            np.moveaxis(values, axis, 0)[edge] = 0
    whole: np.ndarray = np.rint(values).astype(np.int16)
    return whole


def image_of(values: np.ndarray) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*values.shape[::-1])
    image.SetSpacing(*SPACING)
    image.SetOrigin(*ORIGIN)
    flat = numpy_support.numpy_to_vtk(values.ravel(), deep=1, array_type=vtk.VTK_SHORT)
    image.GetPointData().SetScalars(flat)
    return image


def look(*, shaded: bool) -> vtk.vtkVolumeProperty:
    colours, opacities = vtk.vtkColorTransferFunction(), vtk.vtkPiecewiseFunction()
    for value, opacity, colour in POINTS:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        colours.AddRGBPoint(value, *parts)
        opacities.AddPoint(value, opacity)
    made = vtk.vtkVolumeProperty()
    made.SetColor(colours)
    made.SetScalarOpacity(opacities)
    made.SetScalarOpacityUnitDistance(1.0)
    made.SetInterpolationTypeToLinear()
    if shaded:
        made.ShadeOn()
        made.SetAmbient(SHADE[0])
        made.SetDiffuse(SHADE[1])
        made.SetSpecular(SHADE[2])
        made.SetSpecularPower(16)
    return made


def project(values: np.ndarray, view: str, mode: str) -> np.ndarray:
    away, up = (np.array(one, float) for one in VIEWS[view])
    away /= np.linalg.norm(away)
    down = -(up - away * (up @ away))
    down /= np.linalg.norm(down)
    right = np.cross(down, away)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image_of(values))
    reslice.SetOutputScalarType(vtk.VTK_FLOAT)
    reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(0)
    axes = vtk.vtkMatrix4x4()
    for row in range(3):
        for column, axis in enumerate((right, down, away, middle())):
            axes.SetElement(row, column, axis[row])
    reslice.SetResliceAxes(axes)
    reslice.SetOutputDimensionality(2)
    pixel = WIDTH_MM / SIZE
    reslice.SetOutputSpacing(pixel, pixel, STEP_MM)
    first = -pixel * (SIZE - 1) / 2
    reslice.SetOutputOrigin(first, first, 0)
    reslice.SetOutputExtent(0, SIZE - 1, 0, SIZE - 1, 0, 0)
    getattr(reslice, f"SetSlabModeTo{mode}")()
    reslice.SetSlabNumberOfSlices(SLAB_SLICES)
    reslice.SetSlabSliceSpacingFraction(1.0)
    reslice.Update()
    flat = numpy_support.vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars())
    picture: np.ndarray = flat.reshape(SIZE, SIZE).astype("<f4")
    return picture


def render(values: np.ndarray, view: str, *, shaded: bool) -> np.ndarray:
    mapper = vtk.vtkFixedPointVolumeRayCastMapper()
    mapper.SetInputData(image_of(values))
    mapper.SetAutoAdjustSampleDistances(0)
    mapper.SetSampleDistance(STEP_MM)
    mapper.SetInteractiveSampleDistance(STEP_MM)
    mapper.SetImageSampleDistance(1.0)
    mapper.SetBlendModeToComposite()
    volume = vtk.vtkVolume()
    volume.SetMapper(mapper)
    volume.SetProperty(look(shaded=shaded))
    renderer = vtk.vtkRenderer()
    renderer.AddVolume(volume)
    renderer.SetBackground(0, 0, 0)
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(SIZE, SIZE)
    window.AddRenderer(renderer)
    center = middle()
    away, up = (np.array(one, float) for one in VIEWS[view])
    away /= np.linalg.norm(away)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetParallelScale(WIDTH_MM / 2)
    camera.SetFocalPoint(*center)
    camera.SetPosition(*(center - away * 200))
    camera.SetViewUp(*up)
    camera.SetClippingRange(1, 400)
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.SetInputBufferTypeToRGB()
    grab.ReadFrontBufferOff()
    grab.Update()
    pixels = numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    # VTK's pictures begin at the bottom.
    picture: np.ndarray = pixels.reshape(SIZE, SIZE, 3)[::-1].astype(np.uint8)
    return picture


def middle() -> np.ndarray:
    return np.array(
        [o + s * (n - 1) / 2 for o, s, n in zip(ORIGIN, SPACING, SHAPE[::-1], strict=True)]
    )


def packed(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()


def main() -> None:
    values = phantom()
    pictures = {}
    for view in VIEWS:
        pictures[f"{view} mip"] = packed(project(values, view, "Max"))
        pictures[f"{view} composite"] = packed(render(values, view, shaded=False))
        pictures[f"{view} shaded"] = packed(render(values, view, shaded=True))
    document = {
        "made_with": f"VTK {vtk.vtkVersion().GetVTKVersion()}: {MAKERS}",
        "shape": SHAPE, "spacing_mm": SPACING, "origin": ORIGIN, "center": middle().tolist(),
        "voxels": packed(values.astype("<i2")),
        "size_px": SIZE, "width_mm": WIDTH_MM, "step_mm": STEP_MM,
        "points": POINTS, "shade": SHADE, "views": VIEWS, "pictures": pictures,
    }  # fmt: skip
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
