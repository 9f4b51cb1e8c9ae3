/**
 * The reader's lines through volumes, kept on the server: read when a series is first seen along a line,
 * written within a second of the last change (docs/measurements.md).
 */

import { CURVE_FORMS, FIRST_WISH, type CurveWish } from "../core/curve";
import type { Triple } from "../core/facts";
import { SLAB_MODES } from "../core/mpr";
import { loadCurve } from "../state/curves";
import type { Store } from "../state/store";
import { readProblem } from "./api";
import { asList, asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

/** From the first change: a hand that moves is written down a few times. */
const WRITE_MS = 600;
const AGAIN_MS = 5000;
const [CONFLICT, MISSING] = [409, 404];

/** What the server has of a series' line. */
interface Kept {
  readonly id: string;
  readonly version: number;
  readonly wish: CurveWish;
}

export class Centrelines {
  private readonly kept = new Map<string, Kept>();
  private readonly asked = new Set<string>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly busy = new Set<string>();

  constructor(
    private readonly store: Store,
    /** `/api/v1/` */
    private readonly root: string,
    private readonly token: string,
    private readonly mayWrite: boolean,
    /** Somebody must know: the line was changed elsewhere, or cannot be kept. */
    private readonly tell: (why: "elsewhere" | "refused", words: string) => void,
  ) {}

  /** After every change of the page. */
  follow(): void {
    const { panes, curves } = this.store.state;
    panes.filter(({ shows }) => shows === "curved").forEach(({ seriesId }) => void this.load(seriesId));
    curves?.forEach(({ wish }, seriesId) => {
      const isKnown = this.asked.has(seriesId) && wish !== this.kept.get(seriesId)?.wish;
      if (this.mayWrite && isKnown && (wish.points.length > 0 || this.kept.has(seriesId)) && !this.timers.has(seriesId) && !this.busy.has(seriesId)) {
        this.later(seriesId, WRITE_MS);
      }
    });
  }

  /** The page goes: what is not written yet goes now. */
  flush(): void {
    [...this.timers.keys()].forEach((seriesId) => void this.save(seriesId));
  }

  private async load(seriesId: string): Promise<void> {
    if (seriesId === "" || this.asked.has(seriesId)) {
      return;
    }
    this.asked.add(seriesId);
    try {
      const response = await this.send("GET", `?series=${seriesId}&mine=true`);
      const [row] = asList(asObject((await response.json()) as Json)["results"]);
      if (response.ok && row !== undefined) {
        this.take(seriesId, asObject(row), false);
      }
    } catch {
      this.asked.delete(seriesId);
    }
  }

  /** Takes the server's line; on the page it stands in place of the own one only when it must. */
  private take(seriesId: string, row: JsonObject, isForced: boolean): void {
    const wish = readLine(row);
    this.kept.set(seriesId, { id: asText(row["id"]), version: asNumber(row["version"]) ?? 1, wish });
    this.store.change(loadCurve(seriesId, wish, isForced));
  }

  private later(seriesId: string, ms: number): void {
    this.timers.set(
      seriesId,
      setTimeout(() => void this.save(seriesId), ms),
    );
  }

  private wishOf(seriesId: string): CurveWish {
    return this.store.state.curves?.get(seriesId)?.wish ?? FIRST_WISH;
  }

  private async save(seriesId: string): Promise<void> {
    clearTimeout(this.timers.get(seriesId));
    this.timers.delete(seriesId);
    if (this.busy.has(seriesId)) {
      return;
    }
    this.busy.add(seriesId);
    try {
      await this.write(seriesId, this.wishOf(seriesId));
      this.busy.delete(seriesId);
      this.follow();
    } catch {
      this.busy.delete(seriesId);
      this.later(seriesId, AGAIN_MS);
    }
  }

  private async write(seriesId: string, wish: CurveWish): Promise<void> {
    const kept = this.kept.get(seriesId);
    if (wish.points.length === 0) {
      this.kept.delete(seriesId);
      if (kept !== undefined) {
        await this.send("DELETE", `${kept.id}/`);
      }
      return;
    }
    const response =
      kept === undefined
        ? await this.send("POST", "", { series_id: seriesId, ...lineBody(wish) })
        : await this.send("PATCH", `${kept.id}/`, { version: kept.version, ...lineBody(wish) });
    if (response.ok) {
      const row = asObject((await response.json()) as Json);
      this.kept.set(seriesId, { id: asText(row["id"]), version: asNumber(row["version"]) ?? 1, wish });
    } else if (response.status === MISSING && kept !== undefined) {
      this.kept.delete(seriesId);
      await this.write(seriesId, wish);
    } else if (response.status === CONFLICT) {
      this.take(seriesId, asObject(asObject((await response.json()) as Json)["current"]), true);
      this.tell("elsewhere", "");
    } else {
      this.kept.set(seriesId, { id: kept?.id ?? "", version: kept?.version ?? 0, wish });
      this.tell("refused", await readProblem(response));
    }
  }

  private send(method: string, address: string, body?: JsonObject): Promise<Response> {
    return fetch(`${this.root}centrelines/${address}`, {
      method,
      credentials: "same-origin",
      keepalive: method !== "GET",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": this.token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}

function lineBody({ points, form, widthMm, angleDeg, slab }: CurveWish): JsonObject {
  return {
    points_lps_mm: points.map((point) => point.map((at) => Number(at.toFixed(4)))),
    form,
    width_mm: widthMm,
    angle_deg: angleDeg,
    slab: { mode: slab.mode, thickness_mm: slab.thicknessMm },
  };
}

export function readLine(row: JsonObject): CurveWish {
  const slab = asObject(row["slab"]);
  return {
    points: asList(row["points_lps_mm"]).map((one) => asNumbers(one) as unknown as Triple),
    form: CURVE_FORMS.find((form) => form === row["form"]) ?? FIRST_WISH.form,
    widthMm: asNumber(row["width_mm"]) ?? FIRST_WISH.widthMm,
    angleDeg: asNumber(row["angle_deg"]) ?? 0,
    slab: { mode: SLAB_MODES.find((mode) => mode === slab["mode"]) ?? "thin", thicknessMm: asNumber(slab["thickness_mm"]) ?? FIRST_WISH.slab.thicknessMm },
  };
}
