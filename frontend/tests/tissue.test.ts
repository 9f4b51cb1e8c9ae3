import { describe, expect, it } from "vitest";

import { cornersOf, readGlb } from "../src/core/surface-mesh";
import { paintFound, pixelsInRange } from "../src/core/tissue";
import { colourFrom, hexOf } from "../src/ui/viewer-surface-list";
import { imageFacts } from "./facts";

describe("tissue by its values", () => {
  it("takes both ends of the range in modality units, and no padding", () => {
    const facts = { ...imageFacts({}), rows: 2, columns: 3, rescaleSlope: 2, rescaleIntercept: -1000, pixelPaddingValue: 700 };
    const stored = Int16Array.from([499, 500, 600, 650, 651, 700]);

    expect([...pixelsInRange(stored, facts, { lowest: 0, highest: 300 })]).toEqual([0, 1, 1, 1, 0, 0]);
    expect([...pixelsInRange(stored, facts, { lowest: 0, highest: 9000 })]).toEqual([0, 1, 1, 1, 1, 0]);
  });

  it("paints only what is found", () => {
    expect([...paintFound(Uint8Array.from([0, 1]), [1, 2, 3], 4)]).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
  });
});

/** By the specification of glTF 2.0, "GLB File Format". */
function glb(points: readonly number[], triangles: readonly number[]): ArrayBuffer {
  const head = {
    meshes: [{ name: "bone", primitives: [{ attributes: { POSITION: 0, NORMAL: 0 }, indices: 1 }] }],
    materials: [{ pbrMetallicRoughness: { baseColorFactor: [1, 0.5, 0, 1] } }],
    accessors: [
      { bufferView: 0, componentType: 5126, count: points.length / 3, min: [-0.1, 0, -0.3], max: [0.1, 0.2, 0.3] },
      { bufferView: 1, componentType: 5125, count: triangles.length },
    ],
    bufferViews: [
      { byteOffset: 0, byteLength: 4 * points.length },
      { byteOffset: 4 * points.length, byteLength: 4 * triangles.length },
    ],
  };
  let text = JSON.stringify(head);
  text += " ".repeat((4 - (text.length % 4)) % 4);
  const size = 4 * (points.length + triangles.length);
  const content = new ArrayBuffer(28 + text.length + size);
  const view = new DataView(content);
  const numbers = [0x46546c67, 2, content.byteLength, text.length, 0x4e4f534a];
  numbers.forEach((value, n) => view.setUint32(4 * n, value, true));
  new Uint8Array(content, 20).set(new TextEncoder().encode(text));
  view.setUint32(20 + text.length, size, true);
  view.setUint32(24 + text.length, 0x004e4942, true);
  new Float32Array(content, 28 + text.length, points.length).set(points);
  new Uint32Array(content, 28 + text.length + 4 * points.length, triangles.length).set(triangles);
  return content;
}

describe("surfaces as GLB", () => {
  it("are read as they lie in the file, their corners in the patient's millimetres", () => {
    const mesh = readGlb(glb([0, 0, 0, 1, 0, 0, 0, 1, 0], [0, 1, 2]));

    expect([...mesh.points]).toEqual([0, 0, 0, 1, 0, 0, 0, 1, 0]);
    expect([...mesh.triangles]).toEqual([0, 1, 2]);
    expect(mesh.colour).toEqual([1, 0.5, 0]);
    // x stays left, z of the file is the front (-y of lps), y is the head.
    const corners = cornersOf([mesh]);
    expect(corners).toHaveLength(8);
    expect(corners).toContainEqual([-100, -300, 200]);
    expect(corners).toContainEqual([100, 300, 0]);
  });

  it("are refused when they are cut off or no GLB", () => {
    const whole = glb([0, 0, 0, 1, 0, 0, 0, 1, 0], [0, 1, 2]);
    expect(() => readGlb(whole.slice(0, -4))).toThrow();
    expect(() => readGlb(new ArrayBuffer(40))).toThrow();
  });

  it("have linear colours, the screen has sRGB", () => {
    // IEC 61966-2-1: linear 0.2158605 is 127.5 of 255.
    expect(hexOf([0, 0.2158605, 1])).toBe("#0080ff");
    expect(colourFrom("#ff0033")).toEqual([1, 0, 0.2]);
  });
});
