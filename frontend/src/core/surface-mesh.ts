/** Surfaces as the server makes them: GLB (glTF 2.0) of one mesh, in metres, y to the head, z to the front. */

import type { Triple } from "./facts";

export interface SurfaceMesh {
  readonly name: string;
  /** As in the file: metres, x left, y head, z front. */
  readonly points: Float32Array;
  readonly normals: Float32Array;
  readonly triangles: Uint32Array;
  /** Linear, 0 to 1. */
  readonly colour: Triple;
  /** Two opposite corners of what it fills, lps in mm. */
  readonly corners: readonly [Triple, Triple];
}

const MAGIC = 0x46546c67;
const FLOAT = 5126;
const UNSIGNED = 5125;

interface Accessor {
  readonly bufferView: number;
  readonly componentType: number;
  readonly count: number;
  readonly min?: readonly number[];
  readonly max?: readonly number[];
}

interface Head {
  readonly meshes: readonly { readonly name?: string; readonly primitives: readonly { readonly attributes: Readonly<Record<string, number>>; readonly indices: number }[] }[];
  readonly accessors: readonly Accessor[];
  readonly bufferViews: readonly { readonly byteOffset?: number; readonly byteLength: number }[];
  readonly materials?: readonly { readonly pbrMetallicRoughness?: { readonly baseColorFactor?: readonly number[] } }[];
}

/** Throws for anything but what the server writes. */
export function readGlb(content: ArrayBuffer): SurfaceMesh {
  const view = new DataView(content);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(8, true) !== content.byteLength) {
    throw new Error("This is no GLB file.");
  }
  const headLength = view.getUint32(12, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 20, headLength))) as Head;
  const start = 28 + headLength;
  const [mesh] = head.meshes;
  const primitive = mesh?.primitives[0];
  const place = head.accessors[primitive?.attributes["POSITION"] ?? -1];
  if (primitive === undefined || place === undefined) {
    throw new Error("The surface has no triangles.");
  }
  const floats = (number: number | undefined): Float32Array => {
    const [offset, count] = rangeOf(head, number, FLOAT, 3);
    return new Float32Array(content, start + offset, count);
  };
  const [offset, count] = rangeOf(head, primitive.indices, UNSIGNED, 1);
  const [red = 0.8, green = 0.8, blue = 0.8] = head.materials?.[0]?.pbrMetallicRoughness?.baseColorFactor ?? [];
  const [least, most] = [lpsFromGltf(place.min ?? []), lpsFromGltf(place.max ?? [])];
  return {
    name: mesh?.name ?? "",
    points: floats(primitive.attributes["POSITION"]),
    normals: floats(primitive.attributes["NORMAL"]),
    triangles: new Uint32Array(content, start + offset, count),
    colour: [red, green, blue],
    corners: [least, most],
  };
}

/** Offset in bytes and how many numbers there are. */
function rangeOf(head: Head, number: number | undefined, kind: number, width: number): readonly [number, number] {
  const accessor = head.accessors[number ?? -1];
  const part = head.bufferViews[accessor?.bufferView ?? -1];
  if (accessor === undefined || part === undefined || accessor.componentType !== kind || 4 * width * accessor.count > part.byteLength) {
    throw new Error("The surface's file is damaged.");
  }
  return [part.byteOffset ?? 0, width * accessor.count];
}

/** Metres, y to the head, z to the front, to lps in mm. */
export function lpsFromGltf([x = 0, y = 0, z = 0]: readonly number[]): Triple {
  return [1000 * x, -1000 * z, 1000 * y];
}

/** All eight corners of what several meshes fill. */
export function cornersOf(meshes: readonly Pick<SurfaceMesh, "corners">[]): Triple[] {
  const axis = (n: number): readonly [number, number] => {
    const values = meshes.flatMap(({ corners }) => corners.map((corner) => corner[n] as number));
    return [Math.min(...values), Math.max(...values)];
  };
  const [xs, ys, zs] = [axis(0), axis(1), axis(2)];
  return xs.flatMap((x) => ys.flatMap((y) => zs.map((z): Triple => [x, y, z])));
}
