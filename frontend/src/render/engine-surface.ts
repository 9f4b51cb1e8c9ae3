/**
 * Draws with Cornerstone3D. Pictures reach the engine as finished grey levels in a plain image space
 * (no rescale, window 0..255), so the levels on the screen are those of `core/display.ts`.
 */

import {
  Enums,
  RenderingEngine,
  init,
  metaData,
  utilities,
  type StackViewport,
  type Types,
} from "@cornerstonejs/core";

import { canvasFromImage, invertMatrix, type Size, type View } from "../core/view";
import type { Picture, Surface } from "./surface";

const ALL_GREYS: Types.VOIRange = { lower: 0, upper: 255 };
const CAMERA_DISTANCE = 1000;
const SCHEME = "noctis:";
/** One for grey and one for colour. */
const CONTEXTS = 2;

const described = new Map<string, Picture>();
let counter = 0;
/** One for all panes of the page: browsers allow few contexts. */
let engine: RenderingEngine | null = null;

export function createEngineSurface(host: HTMLElement, size: Size): Surface {
  if (engine === null) {
    init({ rendering: { webGlContextCount: CONTEXTS }, debug: {} });
    metaData.addProvider(describePicture, 100);
    engine = new RenderingEngine("noctis");
  }
  const surface = new EngineSurface(host, engine);
  surface.resize(size);
  return surface;
}

class EngineSurface implements Surface {
  readonly kind = "webgl";
  private readonly panes = new Map<number, Pane>();
  private front: Pane;
  private size: Size = { width: 1, height: 1 };

  constructor(
    private readonly host: HTMLElement,
    private readonly engine: RenderingEngine,
  ) {
    this.front = this.paneFor(1);
  }

  get canvas(): HTMLCanvasElement {
    return this.front.viewport.canvas;
  }

  resize(size: Size): void {
    this.size = size;
    this.engine.resize(true, true);
  }

  draw(picture: Picture, view: View, smooth: boolean): void {
    this.front = this.paneFor(picture.components);
    this.panes.forEach((pane) => {
      pane.element.hidden = pane !== this.front;
    });
    this.front.draw(picture, view, smooth, this.size);
  }

  clear(): void {
    this.panes.forEach((pane) => {
      pane.element.hidden = true;
    });
  }

  dispose(): void {
    this.panes.forEach((pane) => pane.dispose());
  }

  /** The engine keeps a texture's number of components when pictures change, so each kind has its own. */
  private paneFor(components: 1 | 3): Pane {
    const known = this.panes.get(components);
    if (known !== undefined) {
      return known;
    }
    const element = document.createElement("div");
    element.className = "surface";
    this.host.append(element);
    const pane = new Pane(this.engine, element);
    this.panes.set(components, pane);
    return pane;
  }
}

class Pane {
  readonly viewport: StackViewport;
  private shown: { picture: Picture; imageId: string } | null = null;

  constructor(
    private readonly engine: RenderingEngine,
    readonly element: HTMLDivElement,
  ) {
    counter += 1;
    const viewportId = `pane-${counter}`;
    engine.enableElement({
      viewportId,
      element,
      type: Enums.ViewportType.STACK,
      defaultOptions: { background: [0, 0, 0] },
    });
    this.viewport = engine.getViewport(viewportId) as StackViewport;
  }

  draw(picture: Picture, view: View, smooth: boolean, size: Size): void {
    if (this.shown?.picture !== picture) {
      this.load(picture);
    }
    this.viewport.setProperties({
      voiRange: ALL_GREYS,
      interpolationType: smooth ? Enums.InterpolationType.LINEAR : Enums.InterpolationType.NEAREST,
    });
    this.viewport.setCamera(cameraFor(picture, view, size));
    this.viewport.render();
  }

  dispose(): void {
    this.engine.disableElement(this.viewport.id);
    this.element.remove();
    if (this.shown !== null) {
      described.delete(this.shown.imageId);
    }
  }

  private load(picture: Picture): void {
    counter += 1;
    const imageId = `${SCHEME}${counter}`;
    described.set(imageId, picture);
    this.viewport.renderImageObject(engineImage(imageId, picture));
    if (this.shown !== null) {
      described.delete(this.shown.imageId);
    }
    this.shown = { picture, imageId };
  }
}

/** The engine's camera that shows exactly what `canvasFromImage` says. World: column, row × aspect, 0. */
function cameraFor(picture: Picture, view: View, size: Size): Types.ICamera {
  const matrix = canvasFromImage({ ...view, scale: 1 }, picture, size);
  const back = invertMatrix({ ...matrix, e: 0, f: 0 });
  const right: Types.Point3 = [back.a, back.b * picture.pixelAspect, 0];
  const up: Types.Point3 = [-back.c, -back.d * picture.pixelAspect, 0];
  const towardsEyeZ = right[0] * up[1] - right[1] * up[0];
  const focalPoint: Types.Point3 = [view.center.x, view.center.y * picture.pixelAspect, 0];
  return {
    focalPoint,
    position: [focalPoint[0], focalPoint[1], Math.sign(towardsEyeZ) * CAMERA_DISTANCE],
    viewPlaneNormal: [0, 0, Math.sign(towardsEyeZ)],
    viewUp: up,
    parallelScale: size.height / view.scale / 2,
  };
}

/**
 * The engine shows a picture whose samples are all alike as white, whatever they are. Its first sample
 * then differs by one level, which nobody sees.
 */
function neverOfOneGrey(samples: Uint8Array): Uint8Array {
  const [first] = samples;
  if (first === undefined || samples.some((sample) => sample !== first)) {
    return samples;
  }
  const changed = samples.slice();
  changed[0] = first === 0 ? 1 : first - 1;
  return changed;
}

function engineImage(imageId: string, picture: Picture): Types.IImage {
  const { width, height, components } = picture;
  const samples = neverOfOneGrey(picture.samples);
  const isColour = components === 3;
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({
    width,
    height,
    scalarData: samples,
    numberOfComponents: components,
  });
  return {
    imageId,
    width,
    height,
    columns: width,
    rows: height,
    columnPixelSpacing: 1,
    rowPixelSpacing: picture.pixelAspect,
    color: isColour,
    rgba: false,
    numberOfComponents: components,
    sizeInBytes: samples.byteLength,
    minPixelValue: 0,
    maxPixelValue: 255,
    slope: 1,
    intercept: 0,
    windowCenter: 128,
    windowWidth: 256,
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR,
    invert: false,
    photometricInterpretation: isColour ? "RGB" : "MONOCHROME2",
    dataType: "Uint8Array",
    preScale: { enabled: true, scaled: true },
    voxelManager,
    getPixelData: () => samples,
    getCanvas: () => document.createElement("canvas"),
  } as unknown as Types.IImage;
}

/** Tells the engine about a picture of ours; nothing for anyone else's. */
function describePicture(type: string, imageId: string): object | undefined {
  const picture = described.get(imageId);
  if (picture === undefined) {
    return undefined;
  }
  const isColour = picture.components === 3;
  if (type === Enums.MetadataModules.IMAGE_PLANE) {
    return {
      rows: picture.height,
      columns: picture.width,
      rowCosines: [1, 0, 0],
      columnCosines: [0, 1, 0],
      imageOrientationPatient: [1, 0, 0, 0, 1, 0],
      imagePositionPatient: [0, 0, 0],
      columnPixelSpacing: 1,
      rowPixelSpacing: picture.pixelAspect,
      frameOfReferenceUID: "picture",
    };
  }
  if (type === Enums.MetadataModules.IMAGE_PIXEL) {
    return {
      bitsAllocated: 8,
      bitsStored: 8,
      highBit: 7,
      pixelRepresentation: 0,
      samplesPerPixel: picture.components,
      photometricInterpretation: isColour ? "RGB" : "MONOCHROME2",
      rows: picture.height,
      columns: picture.width,
    };
  }
  if (type === Enums.MetadataModules.VOI_LUT) {
    return { windowCenter: [128], windowWidth: [256], voiLUTFunction: "LINEAR" };
  }
  if (type === Enums.MetadataModules.MODALITY_LUT) {
    return { rescaleSlope: 1, rescaleIntercept: 0 };
  }
  return type === Enums.MetadataModules.GENERAL_SERIES ? { modality: "OT" } : undefined;
}
