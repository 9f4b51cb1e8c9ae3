/** Draws a volume as a body on the graphics card; one for each pane, on a canvas of its own. */

import { ENTRIES, tableOf, type BodyMode, type BodyWish } from "../core/body-look";
import { directionsOf } from "../core/body-view";
import type { Slices } from "../core/cut";
import type { Triple } from "../core/facts";
import type { PlaneValues } from "../core/plane-values";
import { applyAffine, finestMm, turnBy, type VolumePlan } from "../core/volume-plan";
import { BODY_FRAGMENT, BODY_VERTEX, MOST_WALLS } from "./body-shader";
import { makeBodyTexture, type BodyTexture } from "./body-texture";

const MODES: Readonly<Record<BodyMode, number>> = { composite: 0, mip: 1, minip: 2, average: 3 };
/** Samples: mm for each finest voxel. Moving, pictures have fewer pixels and samples. */
const FINE_STEP = 0.5;
const MOVING_STEP = 1;
const MOVING_SCALE = 0.5;

export class BodyCaster {
  private readonly canvas = document.createElement("canvas");
  private readonly gl: WebGL2RenderingContext;
  private readonly program: WebGLProgram;
  private readonly lookup: WebGLTexture;
  private readonly places = new Map<string, WebGLUniformLocation | null>();
  private volume: BodyTexture | null = null;
  private tableKey: unknown = null;
  private table = { low: 0, rate: 1 };

  /** Throws when the browser has no WebGL 2. */
  constructor() {
    const gl = this.canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, powerPreference: "high-performance" });
    if (gl === null) {
      throw new Error("This browser has no WebGL 2.");
    }
    this.gl = gl;
    this.program = link(gl);
    this.lookup = gl.createTexture();
  }

  /** False when the card cannot take the volume, or nobody wants it any more. */
  async load(plan: VolumePlan, values: PlaneValues, slices: Slices, isWanted: () => boolean): Promise<boolean> {
    this.volume = await makeBodyTexture(this.gl, plan, values, slices, isWanted);
    return this.volume !== null && this.gl.getError() === this.gl.NO_ERROR;
  }

  get isReduced(): boolean {
    return (this.volume?.factor ?? 1) > 1;
  }

  get isLost(): boolean {
    return this.gl.isContextLost();
  }

  /** The picture, on a canvas that the next one is drawn on; null when there is nothing to draw. */
  draw(plan: VolumePlan, wish: BodyWish, shade: Triple, isMoving: boolean): HTMLCanvasElement | null {
    const { gl, volume } = this;
    if (volume === null || gl.isContextLost()) {
      return null;
    }
    const scale = devicePixelRatio * (isMoving ? MOVING_SCALE : 1);
    const [width, height] = [Math.max(1, Math.round(wish.size.width * scale)), Math.max(1, Math.round(wish.size.height * scale))];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      [this.canvas.width, this.canvas.height] = [width, height];
    }
    const stepMm = finestMm(plan) * (isMoving ? MOVING_STEP : FINE_STEP);
    gl.viewport(0, 0, width, height);
    gl.useProgram(this.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_3D, volume.texture);
    this.fillTable(wish, stepMm);
    this.place(plan, wish, width, height);
    this.set1("stepMm", stepMm);
    this.set1("unscale", volume.unscale);
    gl.uniform3f(this.at("shape"), plan.columns, plan.rows, plan.keys.length);
    gl.uniform3f(this.at("spread"), ...volume.spread);
    const light = wish.look.mode === "composite" && wish.look.isShaded ? shade : ([0, 0, 0] as const);
    gl.uniform3f(this.at("shade"), ...light);
    gl.uniform1i(this.at("mode"), MODES[wish.look.mode]);
    gl.uniform2f(this.at("window"), wish.look.window.center, Math.max(1e-6, wish.look.window.width));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return this.canvas;
  }

  dispose(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.volume = null;
  }

  private place(plan: VolumePlan, { camera, look, size }: BodyWish, width: number, height: number): void {
    const { gl } = this;
    const { right, down, away } = directionsOf(camera.turn);
    const mm = (camera.mmPerPx * size.width) / width;
    const corner = camera.center.map(
      (at, n) => at - (right[n] as number) * mm * ((width - 1) / 2) - (down[n] as number) * mm * ((height - 1) / 2),
    ) as unknown as Triple;
    const step = (direction: Triple): Triple => turnBy(plan.ijwFromLps, direction.map((part) => part * mm) as unknown as Triple);
    gl.uniform3f(this.at("start"), ...applyAffine(plan.ijwFromLps, corner));
    gl.uniform3f(this.at("across"), ...step(right));
    gl.uniform3f(this.at("along"), ...step(down));
    gl.uniform3f(this.at("deep"), ...turnBy(plan.ijwFromLps, away));
    gl.uniform3f(this.at("normal"), ...away);
    // Gradients turn by the transposed inverse; columns of the matrix are rows of what leads to indices.
    gl.uniformMatrix3fv(this.at("turn"), false, plan.ijwFromLps.flatMap(([a, b, c]) => [a, b, c]));
    gl.uniform4fv(this.at("walls"), wallsOf(plan, look.clip));
    this.set1("pictureHeight", height);
  }

  private fillTable({ look }: BodyWish, stepMm: number): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.lookup);
    const key = `${stepMm} ${JSON.stringify(look.points)}`;
    if (this.tableKey !== key) {
      this.tableKey = key;
      const { table, low, rate } = tableOf(look.points, stepMm);
      this.table = { low, rate };
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, ENTRIES, 1, 0, gl.RGBA, gl.FLOAT, table);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    }
    gl.uniform1i(this.at("voxels"), 0);
    gl.uniform1i(this.at("lookup"), 1);
    this.set1("low", this.table.low);
    this.set1("rate", this.table.rate);
    this.set1("entries", ENTRIES);
  }

  private set1(name: string, value: number): void {
    this.gl.uniform1f(this.at(name), value);
  }

  private at(name: string): WebGLUniformLocation | null {
    const known = this.places.get(name);
    if (known !== undefined) {
      return known;
    }
    const place = this.gl.getUniformLocation(this.program, name);
    this.places.set(name, place);
    return place;
  }
}

/** The volume's own walls, then those of the box; the rest keeps everything. */
function wallsOf(plan: VolumePlan, clip: BodyWish["look"]["clip"]): Float32Array {
  const walls = new Float32Array(MOST_WALLS * 4);
  const put = (n: number, wall: readonly number[]): void => walls.set(wall, n * 4);
  for (let n = 0; n < MOST_WALLS; n += 1) {
    put(n, [0, 0, 0, 1]);
  }
  [plan.columns, plan.rows, plan.keys.length].forEach((size, axis) => {
    const unit = [0, 1, 2].map((n) => (n === axis ? 1 : 0));
    put(axis * 2, [...unit, 0.5]);
    put(axis * 2 + 1, [...unit.map((part) => -part), size - 0.5]);
  });
  if (clip !== null) {
    [0, 1, 2].forEach((axis) => {
      // A row of the affine says where a voxel lies along an axis of the patient.
      const [a, b, c, d] = plan.lpsFromIjw[axis] ?? [0, 0, 0, 0];
      put(6 + axis * 2, [a, b, c, d - (clip.low[axis] as number)]);
      put(7 + axis * 2, [-a, -b, -c, (clip.high[axis] as number) - d]);
    });
  }
  return walls;
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, BODY_VERTEX],
    [gl.FRAGMENT_SHADER, BODY_FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) {
      throw new Error("The graphics card takes no shader.");
    }
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) {
    throw new Error(gl.getProgramInfoLog(program) ?? "The shader does not link.");
  }
  return program;
}
