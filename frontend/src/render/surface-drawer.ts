/** Triangles by WebGL 2: parallel rays, lit from the reader, several surfaces, cut open from the front. */

import { directionsOf, type BodyCamera } from "../core/body-view";
import type { Triple } from "../core/facts";
import type { SurfaceMesh } from "../core/surface-mesh";
import type { Size } from "../core/view";

export interface DrawnSurface {
  readonly id: string;
  readonly mesh: SurfaceMesh;
  /** 0 to 1, as on the screen. */
  readonly colour: Triple;
  readonly opacity: number;
}

export interface SurfaceView {
  readonly camera: BodyCamera;
  readonly size: Size;
  /** From the camera's centre to the farthest point, mm. */
  readonly reachMm: number;
  /** What is nearer to the reader than this, seen from the centre, is cut away; mm. */
  readonly cutMm: number;
}

// glTF's metres to lps in mm, then to right, up and depth of the picture.
const VERTEX = `#version 300 es
in vec3 point;
in vec3 normal;
uniform vec3 right, down, away, center;
uniform vec2 scale;
uniform vec2 depths;
out vec3 facing;
vec3 lps(vec3 at) { return vec3(at.x, -at.z, at.y); }
void main() {
  vec3 at = 1000.0 * lps(point) - center;
  vec3 outward = lps(normal);
  facing = vec3(dot(outward, right), -dot(outward, down), -dot(outward, away));
  // What is cut away lies before the nearest depth: the card leaves it out by itself.
  float depth = 2.0 * (dot(at, away) - depths.x) / (depths.y - depths.x) - 1.0;
  gl_Position = vec4(dot(at, right) * scale.x, -dot(at, down) * scale.y, depth, 1.0);
}`;

// A light beside the reader's head and a little from all sides; the inside of a surface is darker.
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 facing;
uniform vec4 colour;
out vec4 seen;
void main() {
  vec3 outward = normalize(facing) * (gl_FrontFacing ? 1.0 : -1.0);
  vec3 light = normalize(vec3(-0.35, 0.45, 1.0));
  float direct = max(dot(outward, light), 0.0);
  float shine = pow(max(dot(reflect(-light, outward), vec3(0.0, 0.0, 1.0)), 0.0), 24.0);
  float inside = gl_FrontFacing ? 1.0 : 0.62;
  seen = vec4((colour.rgb * (0.24 + 0.76 * direct) + 0.16 * shine) * inside, colour.a);
}`;

interface Loaded {
  readonly mesh: SurfaceMesh;
  readonly array: WebGLVertexArrayObject;
  readonly buffers: readonly WebGLBuffer[];
}

/** null where there is no WebGL 2; without a graphics card edges are not smoothed, which takes four times as long. */
export function openDrawer(canvas: HTMLCanvasElement, hasCard: boolean): SurfaceDrawer | null {
  const gl = canvas.getContext("webgl2", { antialias: hasCard, alpha: false, powerPreference: "high-performance" });
  return gl === null ? null : new SurfaceDrawer(gl);
}

export class SurfaceDrawer {
  private readonly program: WebGLProgram;
  private readonly loaded = new Map<string, Loaded>();

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.program = link(gl);
    gl.enable(gl.DEPTH_TEST);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** `sharpness`: canvas pixels for one of the screen's; less where every frame takes long. */
  draw(surfaces: readonly DrawnSurface[], view: SurfaceView, sharpness = 1): void {
    const { gl } = this;
    const { canvas } = gl;
    const { size, camera } = view;
    const ratio = Math.min(2, globalThis.devicePixelRatio || 1) * sharpness;
    const [width, height] = [Math.max(1, Math.round(size.width * ratio)), Math.max(1, Math.round(size.height * ratio))];
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
    }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 1);
    gl.depthMask(true);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    const { right, down, away } = directionsOf(camera.turn);
    this.set("right", right);
    this.set("down", down);
    this.set("away", away);
    this.set("center", camera.center);
    gl.uniform2f(this.at("scale"), 2 / (camera.mmPerPx * size.width), 2 / (camera.mmPerPx * size.height));
    const far = Math.max(1, view.reachMm);
    gl.uniform2f(this.at("depths"), Math.min(far - 0.01, Math.max(-far, view.cutMm)), far);
    this.forget(surfaces);
    const seen = surfaces.filter(({ opacity }) => opacity > 0);
    seen.filter(({ opacity }) => opacity >= 1).forEach((one) => this.drawOne(one, [gl.NONE]));
    gl.enable(gl.BLEND);
    gl.enable(gl.CULL_FACE);
    gl.depthMask(false);
    // What lies behind first, so that the front is blended over it.
    seen.filter(({ opacity }) => opacity < 1).forEach((one) => this.drawOne(one, [gl.FRONT, gl.BACK]));
    gl.disable(gl.CULL_FACE);
    gl.disable(gl.BLEND);
    gl.depthMask(true);
  }

  /** Blocks until the last picture is drawn, so that its time can be told. */
  finish(): void {
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  dispose(): void {
    this.forget([]);
    this.gl.deleteProgram(this.program);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private drawOne({ id, mesh, colour, opacity }: DrawnSurface, hidden: readonly GLenum[]): void {
    const { gl } = this;
    const { array } = this.load(id, mesh);
    gl.bindVertexArray(array);
    gl.uniform4f(this.at("colour"), ...colour, opacity);
    for (const side of hidden) {
      if (side !== gl.NONE) {
        gl.cullFace(side);
      }
      gl.drawElements(gl.TRIANGLES, mesh.triangles.length, gl.UNSIGNED_INT, 0);
    }
    gl.bindVertexArray(null);
  }

  private load(id: string, mesh: SurfaceMesh): Loaded {
    const before = this.loaded.get(id);
    if (before?.mesh === mesh) {
      return before;
    }
    const { gl, program } = this;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const fill = (target: number, data: Float32Array | Uint32Array): WebGLBuffer => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(target, buffer);
      gl.bufferData(target, data, gl.STATIC_DRAW);
      return buffer;
    };
    const attribute = (name: string, data: Float32Array): WebGLBuffer => {
      const buffer = fill(gl.ARRAY_BUFFER, data);
      const at = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, 3, gl.FLOAT, false, 0, 0);
      return buffer;
    };
    const buffers = [attribute("point", mesh.points), attribute("normal", mesh.normals), fill(gl.ELEMENT_ARRAY_BUFFER, mesh.triangles)];
    gl.bindVertexArray(null);
    const made = { mesh, array, buffers };
    this.loaded.set(id, made);
    return made;
  }

  /** Gives back what is no longer among the surfaces. */
  private forget(surfaces: readonly DrawnSurface[]): void {
    for (const [id, { mesh, array, buffers }] of this.loaded) {
      if (!surfaces.some((one) => one.id === id && one.mesh === mesh)) {
        this.gl.deleteVertexArray(array);
        buffers.forEach((buffer) => this.gl.deleteBuffer(buffer));
        this.loaded.delete(id);
      }
    }
  }

  private at(name: string): WebGLUniformLocation | null {
    return this.gl.getUniformLocation(this.program, name);
  }

  private set(name: string, [x, y, z]: Triple): void {
    this.gl.uniform3f(this.at(name), x, y, z);
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) {
      throw new Error("The graphics context is lost.");
    }
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) {
    throw new Error(gl.getProgramInfoLog(program) ?? "The surface cannot be drawn.");
  }
  return program;
}
