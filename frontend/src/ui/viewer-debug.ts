/** A window into the viewer for tests and for support: read only, and nothing but what is true. */

import type { ResolvedVoi } from "../core/voi";
import type { Viewport } from "../render/viewport";

export interface PaneReport {
  readonly seriesId: string;
  readonly index: number;
  readonly scene: string;
  readonly sopInstanceUid: string | null;
  readonly view: object | null;
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
    get canvas(): HTMLCanvasElement {
      return active().canvas;
    },
  });
}
