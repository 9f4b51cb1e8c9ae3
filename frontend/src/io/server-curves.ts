/** Curved pictures, which the server makes. */

import { CURVE_FORMS, lengthOf, refined, type CurveGeometry, type CurveWish } from "../core/curve";
import type { Triple } from "../core/facts";
import { makePixels, type PlaneValues } from "../core/plane-values";
import { DraftThenWhole } from "./draft-then-whole";
import { asList, asNumber, asNumbers, asObject, type Json, type JsonObject } from "./read";

const DRAFT_PX = 200;
/** A longer line gets larger pixels. */
const MOST_PX = 2000;
const QUIET_MS = 200;

export interface WantedCurvePicture {
  /** The same for the same picture. */
  readonly key: string;
  readonly wish: CurveWish;
  readonly finestMm: number;
  readonly timePoint: number;
  readonly values: PlaneValues;
  readonly address: URL;
  readonly csrfToken: string;
}

export interface ServerCurve {
  readonly key: string;
  readonly geometry: CurveGeometry;
  readonly pixels: ReturnType<typeof makePixels>;
  readonly isDraft: boolean;
}

export class ServerCurves extends DraftThenWhole<WantedCurvePicture> {
  constructor(
    private readonly onPicture: (picture: ServerCurve, wanted: WantedCurvePicture) => void,
    onNews: () => void,
  ) {
    super(QUIET_MS, onNews);
  }

  protected keyOf({ key }: WantedCurvePicture): string {
    return key;
  }

  protected coarseness(wanted: WantedCurvePicture): number {
    return Math.max(lengthOf(wanted.wish.points), wanted.wish.widthMm) / fineMm(wanted) / DRAFT_PX;
  }

  protected ask(wanted: WantedCurvePicture, factor: number, signal: AbortSignal): Promise<Response> {
    return fetch(wanted.address, {
      method: "POST",
      credentials: "same-origin",
      signal,
      headers: { "Content-Type": "application/json", "X-CSRFToken": wanted.csrfToken },
      body: JSON.stringify({ ...curveParameters(wanted.wish), spacing_mm: fineMm(wanted) * factor, time_point: wanted.timePoint }),
    });
  }

  protected async read(response: Response, wanted: WantedCurvePicture, factor: number): Promise<() => void> {
    const picture = readCurve(await response.arrayBuffer(), wanted.values, factor);
    return () => this.onPicture({ ...picture, key: wanted.key, isDraft: factor > 1 }, wanted);
  }
}

/** As the server names them, for a picture and for a job. */
export function curveParameters({ points, form, widthMm, angleDeg, slab }: CurveWish): JsonObject {
  return {
    points: points.map((point) => point.map((at) => Number(at.toFixed(4)))),
    form,
    width_mm: widthMm,
    angle_deg: angleDeg,
    mode: slab.mode,
    thickness_mm: slab.mode === "thin" ? 0 : slab.thicknessMm,
  };
}

/** A smooth line is a little longer than its chords. */
function fineMm({ wish, finestMm }: WantedCurvePicture): number {
  return Math.max(finestMm, 0.05, (1.2 * lengthOf(wish.points)) / MOST_PX);
}

/** The server's body: four bytes of length, JSON, int16; larger pixels are given to the finer ones that they stand for. */
export function readCurve(body: ArrayBuffer, values: PlaneValues, factor: number): Pick<ServerCurve, "geometry" | "pixels"> {
  const length = new DataView(body).getUint32(0, true);
  const head = asObject(JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length))) as Json);
  const coarse = readGeometry(head);
  const stored = new Int16Array(body.slice(4 + length));
  if (stored.length !== coarse.rows * coarse.columns || coarse.points.length !== coarse.columns) {
    throw new Error("The server sent another picture.");
  }
  const geometry = refined(coarse, factor);
  const [scale, offset] = [asNumber(head["scale"]) ?? 1, asNumber(head["offset"]) ?? 0];
  const [by, plus] = [scale / values.rescaleSlope, (offset - values.rescaleIntercept) / values.rescaleSlope];
  const pixels = makePixels(values, geometry.rows * geometry.columns);
  for (let row = 0; row < geometry.rows; row += 1) {
    const from = Math.round(row / factor) * coarse.columns;
    for (let column = 0; column < geometry.columns; column += 1) {
      const value = (stored[from + Math.round(column / factor)] as number) * by + plus;
      pixels[row * geometry.columns + column] = values.isRounded ? Math.round(value) : value;
    }
  }
  return { geometry, pixels };
}

function readGeometry(head: JsonObject): CurveGeometry {
  const triples = (name: string): Triple[] => asList(head[name]).map((one) => asNumbers(one) as unknown as Triple);
  return {
    form: CURVE_FORMS.find((form) => form === head["form"]) ?? "straightened",
    columns: asNumber(head["columns"]) ?? 0,
    rows: asNumber(head["rows"]) ?? 0,
    spacingMm: asNumbers(head["spacing_mm"])[0] ?? 1,
    points: triples("points"),
    tangents: triples("tangents"),
    across: triples("across"),
    lineRows: asNumbers(head["line_rows"]),
    arcMm: asNumbers(head["arc_mm"]),
  };
}
