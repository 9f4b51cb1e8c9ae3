/** A window into the viewer for tests and for support: read only, and nothing but what is true. */

import type { Mpr } from "../core/mpr";
import { imageFromLps, planeOf } from "../core/planes";
import { applyMatrix, canvasFromImage } from "../core/view";
import type { ResolvedVoi } from "../core/voi";
import { extentOf, type Viewport } from "../render/viewport";
import type { ViewerPane } from "./viewer-pane";

export interface PaneReport {
  readonly seriesId: string;
  readonly index: number;
  readonly scene: string;
  readonly sopInstanceUid: string | null;
  readonly view: object | null;
  readonly isActive: boolean;
  /** "stack", or what of the volume the pane shows. */
  readonly shows: string;
  /** The plane on the screen; null: it is none. */
  readonly plane: PlaneReport | null;
}

/** lps in mm. */
export interface PlaneReport {
  readonly name: string;
  readonly origin: readonly number[];
  readonly rowDirection: readonly number[];
  readonly columnDirection: readonly number[];
  readonly spacingMm: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly mode: string;
  readonly thicknessMm: number;
  /** Where the planes cross, and where that is on the pane, in CSS px. */
  readonly center: readonly number[];
  readonly centerAt: { readonly x: number; readonly y: number };
  /** Whether the whole picture is still to come. */
  readonly isDraft: boolean;
  /** Values after rescale, row by row. */
  readonly values: () => number[];
}

export interface Report {
  /** In the order of the page. */
  readonly panes: readonly PaneReport[];
  readonly imageKey: string | null;
  readonly sopInstanceUid: string | null;
  readonly seriesId: string;
  readonly studyId: string;
  readonly index: number;
  readonly count: number;
  readonly loaded: number;
  readonly voi: ResolvedVoi | null;
  readonly scene: string;
  readonly cachedBytes: number;
}

declare global {
  interface Window {
    noctis?: object;
  }
}

export function reportPlane({ viewport, isDraft }: ViewerPane, mpr: Mpr | undefined): PlaneReport | null {
  const { shown, size } = viewport;
  const plane = shown === null ? null : planeOf(shown.facts);
  const reformatted = shown?.facts.reformatted;
  if (shown === null || plane === null || mpr === undefined || reformatted === undefined) {
    return null;
  }
  const { facts, pixels } = shown;
  return {
    name: reformatted.name,
    origin: plane.origin,
    rowDirection: plane.row,
    columnDirection: plane.column,
    spacingMm: facts.pixelSpacing ?? [],
    rows: facts.rows,
    columns: facts.columns,
    mode: reformatted.slab.mode,
    thicknessMm: reformatted.slab.thicknessMm,
    center: mpr.center,
    centerAt: applyMatrix(canvasFromImage(shown.view, extentOf(facts), size), imageFromLps(plane, mpr.center)),
    isDraft,
    values: () => Array.from(pixels, (value) => value * facts.rescaleSlope + facts.rescaleIntercept),
  };
}

export function exposeReport(active: () => Viewport, read: () => Report, findings: () => readonly object[]): void {
  window.noctis = Object.freeze({
    get report(): Report {
      return read();
    },
    get findings(): readonly object[] {
      return findings();
    },
    get view(): object | null {
      const { shown } = active();
      return shown === null ? null : { ...shown.view };
    },
    get engine(): string {
      return active().engine;
    },
    /** Values of the plane in the active pane, row by row, after rescale. */
    get planeValues(): number[] {
      return read().panes.find(({ isActive }) => isActive)?.plane?.values() ?? [];
    },
    get canvas(): HTMLCanvasElement {
      return active().canvas;
    },
  });
}
