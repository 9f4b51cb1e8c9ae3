import { describe, expect, test } from "vitest";

import { addPoint, bodyQuery, lookOf, movePoint, moveSide, tableOf, type TransferPoint } from "../src/core/body-look";
import { directionsOf, dragBall, edgesOf, fitBody, pan, placeOn, SIDES, spin, turnOf, zoom, type BodyCamera } from "../src/core/body-view";
import { halfOf, reductionFor } from "../src/render/body-texture";

const SIZE = { width: 200, height: 100 };
const CAMERA: BodyCamera = { turn: turnOf("front"), center: [10, 20, 30], mmPerPx: 0.5 };

describe("where the reader stands", () => {
  // Top, right, bottom, left of the picture, as radiologists expect them (PS3.3 C.7.6.1.1.1).
  test.each([
    ["front", "HLFR"],
    ["back", "HRFL"],
    ["left", "HPFA"],
    ["right", "HAFP"],
    ["head", "ARPL"],
    ["feet", "ALPR"],
  ] as const)("the letters of the view from the %s", (side, letters) => {
    const { top, right, bottom, left } = edgesOf(turnOf(side));
    expect(top + right + bottom + left).toBe(letters);
  });

  test("right, down and away are a right-handed frame from every side", () => {
    for (const side of SIDES) {
      const { right, down, away } = directionsOf(turnOf(side));
      const across = [
        right[1] * down[2] - right[2] * down[1],
        right[2] * down[0] - right[0] * down[2],
        right[0] * down[1] - right[1] * down[0],
      ];
      across.forEach((part, n) => expect(part).toBeCloseTo(away[n] as number));
    }
  });

  test("a quarter round the long axis leads from the front to the patient's left", () => {
    spin(CAMERA, Math.PI / 2).turn.forEach((part, n) => expect(part).toBeCloseTo(turnOf("left")[n] as number));
  });

  test("what the hand holds on the ball goes where the hand goes", () => {
    const from = { x: 100, y: 50 };
    // 0.5 of the radius of 50 px: the ball turns by twice 30 degrees, and shows the patient's right.
    const { away } = directionsOf(dragBall(CAMERA, SIZE, from, { x: 125, y: 50 }).turn);
    expect(away[0]).toBeCloseTo(Math.sin(Math.PI / 3));
    expect(away[1]).toBeCloseTo(Math.cos(Math.PI / 3));
    // Down: what is above comes into sight, so the reader looks downwards.
    expect(directionsOf(dragBall(CAMERA, SIZE, from, { x: 100, y: 75 }).turn).away[2]).toBeCloseTo(-Math.sin(Math.PI / 3));
  });

  test("points stay under the hand when the picture is moved or enlarged", () => {
    const place = placeOn(CAMERA, SIZE, [20, 99, 25]);
    expect(place).toEqual({ x: 120, y: 60 });
    expect(placeOn(pan(CAMERA, 7, -3), SIZE, [20, 99, 25])).toEqual({ x: 127, y: 57 });
    const nearer = placeOn(zoom(CAMERA, SIZE, 2, place), SIZE, [20, 99, 25]);
    expect(nearer.x).toBeCloseTo(120);
    expect(nearer.y).toBeCloseTo(60);
  });

  test("all of a body is in sight at first", () => {
    const corners = [-30, 30].flatMap((x) => [-50, 50].flatMap((y) => [-40, 40].map((z) => [x, y, z] as const)));
    const camera = fitBody(corners, SIZE, turnOf("front"));
    const { x, y } = placeOn(camera, SIZE, [30, 0, 40]);
    expect(x).toBeLessThan(200);
    expect(y).toBeGreaterThan(0);
    expect(y).toBeLessThan(10);
  });
});

describe("colours and opacities", () => {
  const points: TransferPoint[] = [
    { value: 0, opacity: 0, colour: "000000" },
    { value: 100, opacity: 0.5, colour: "ff8000" },
  ];

  test("opacities of a step are those of a millimetre to the power of its length", () => {
    const { table, low, rate } = tableOf(points, 0.5);
    // The numbers of the server's test: 1 - 0.75 ** 0.5 half way, 1 - 0.5 ** 0.5 at the end.
    expect(table[Math.round((50 - low) * rate) * 4 + 3]).toBeCloseTo(0.134, 3);
    expect(table[2047 * 4 + 3]).toBeCloseTo(0.29289, 5);
    expect(table[2047 * 4]).toBe(1);
  });

  test("points keep their order, and a new one has the colour of its place", () => {
    expect(movePoint(points, 1, -50, 2)[1]).toMatchObject({ value: 0, opacity: 1 });
    expect(addPoint(points, 50, 0.2)[1]).toEqual({ value: 50, opacity: 0.2, colour: "804000" });
  });

  test("the server is asked for what is seen", () => {
    const rendering = { code: "bone", label: "Bone", mode: "composite", points, isShaded: true, window: null } as const;
    const bounds = { low: [0, 0, 0], high: [9, 9, 9] } as const;
    const clip = moveSide(bounds, bounds, 1, "low", 4);
    const query = new URLSearchParams(bodyQuery({ camera: CAMERA, look: lookOf(rendering, clip), size: SIZE }, "draft", 2));
    expect(Object.fromEntries(query)).toMatchObject({
      quaternion: "0,0,0,1", center: "10,20,30", width_mm: "100", columns: "320", rows: "160",
      points: "0,0,000000;100,0.5,ff8000", shaded: "true", clip: "0,9,4,9,0,9", quality: "draft",
    });
  });
});

describe("the card's voxels", () => {
  // IEEE 754: 1 is 0x3c00, -2 is 0xc000, the largest step below 2048 is 1, 1/3 rounds to 0x3555.
  test.each([[0, 0], [1, 0x3c00], [-2, 0xc000], [2047, 0x67ff], [2048, 0x6800], [-1024, 0xe400], [1 / 3, 0x3555], [2 ** -24, 1]])(
    "%d as half a float", (value, bits) => expect(halfOf(value)).toBe(bits),
  );

  test("a volume that is too large is made smaller, or left to the server", () => {
    expect(reductionFor([512, 512, 300], 2048)).toBe(1);
    expect(reductionFor([512, 512, 1000], 2048)).toBe(2);
    expect(reductionFor([512, 512, 300], 256)).toBe(2);
    expect(reductionFor([9000, 9000, 10], 2048)).toBe(0);
  });
});
