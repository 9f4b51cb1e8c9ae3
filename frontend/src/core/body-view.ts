/**
 * From where a volume is seen as a body: parallel rays, the reader turned round it by a quaternion
 * (`imaging/rendering.py`). Without a turn the reader stands in front of the patient: the patient's left
 * is on the picture's right, the head is up.
 */

import type { Triple } from "./facts";
import { lettersOf, type EdgeLetters } from "./orientation";
import type { Point, Size } from "./view";

/** x, y, z, w in lps; of length 1. */
export type Quaternion = readonly [number, number, number, number];

export interface BodyCamera {
  readonly turn: Quaternion;
  /** What lies in the picture's middle, lps. */
  readonly center: Triple;
  /** Of the patient in one CSS px. */
  readonly mmPerPx: number;
}

export interface Directions {
  readonly right: Triple;
  readonly down: Triple;
  /** From the reader into the body. */
  readonly away: Triple;
}

export const SIDES = ["front", "back", "left", "right", "head", "feet"] as const;
export type Side = (typeof SIDES)[number];

const HALF = Math.SQRT1_2;

/** On which side of the patient the reader stands; from head and feet the patient's front is up. */
const TURNS: Readonly<Record<Side, Quaternion>> = {
  front: [0, 0, 0, 1],
  back: [0, 0, 1, 0],
  left: [0, 0, HALF, HALF],
  right: [0, 0, -HALF, HALF],
  head: [0, HALF, -HALF, 0],
  feet: [HALF, 0, 0, HALF],
};

export function turnOf(side: Side): Quaternion {
  return TURNS[side];
}

export function multiply([ax, ay, az, aw]: Quaternion, [bx, by, bz, bw]: Quaternion): Quaternion {
  return normalised([
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ]);
}

function normalised(turn: Quaternion): Quaternion {
  const length = Math.hypot(...turn) || 1;
  return turn.map((part) => part / length) as unknown as Quaternion;
}

/** Turns by an angle in radians, against the clock seen from the axis' end. */
export function turnAround(axis: Triple, angle: number): Quaternion {
  const length = Math.hypot(...axis) || 1;
  const by = Math.sin(angle / 2) / length;
  return [axis[0] * by, axis[1] * by, axis[2] * by, Math.cos(angle / 2)];
}

export function rotate([x, y, z, w]: Quaternion, [a, b, c]: Triple): Triple {
  const [p, q, r] = [2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)];
  return [a + w * p + y * r - z * q, b + w * q + z * p - x * r, c + w * r + x * q - y * p];
}

export function directionsOf(turn: Quaternion): Directions {
  return { right: rotate(turn, [1, 0, 0]), down: rotate(turn, [0, 0, -1]), away: rotate(turn, [0, 1, 0]) };
}

/** What stands on the edges of the picture. */
export function edgesOf(turn: Quaternion): EdgeLetters {
  const { right, down } = directionsOf(turn);
  const opposite = (direction: Triple): string => lettersOf(direction.map((part) => -part));
  return { top: opposite(down), right: lettersOf(right), bottom: lettersOf(down), left: opposite(right) };
}

/** The hand turns the body as if it held a ball around it, from the place of the press to where it is now. */
export function dragBall(start: BodyCamera, size: Size, from: Point, to: Point): BodyCamera {
  const [before, after] = [onBall(size, from), onBall(size, to)];
  const { right, down, away } = directionsOf(start.turn);
  const inPatient = ([x, y, z]: Triple): Triple =>
    [0, 1, 2].map((n) => (right[n] as number) * x + (down[n] as number) * y - (away[n] as number) * z) as unknown as Triple;
  const [a, b] = [inPatient(before), inPatient(after)];
  const dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const across: Triple = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  // Twice the angle between the two places; the reader turns the other way.
  return { ...start, turn: multiply([-across[0], -across[1], -across[2], dot], start.turn) };
}

/** Where a place on the picture lies on the ball: right, down, towards the reader. */
function onBall({ width, height }: Size, { x, y }: Point): Triple {
  const radius = Math.max(1, Math.min(width, height) / 2);
  const [u, v] = [(x - width / 2) / radius, (y - height / 2) / radius];
  const far = Math.hypot(u, v);
  return far >= 1 ? [u / far, v / far, 0] : [u, v, Math.sqrt(1 - far * far)];
}

/** The reader goes round the patient's long axis; a positive angle shows more of the patient's left. */
export function spin(camera: BodyCamera, angle: number): BodyCamera {
  return { ...camera, turn: multiply(turnAround([0, 0, 1], angle), camera.turn) };
}

/** Turns about the picture's own axes: `across` brings what is on the left into sight, `over` what is above. */
export function nudge(camera: BodyCamera, across: number, over: number): BodyCamera {
  const { right, down } = directionsOf(camera.turn);
  const turned = multiply(turnAround(down, across), camera.turn);
  return { ...camera, turn: multiply(turnAround(right, -over), turned) };
}

/** The picture follows the hand. */
export function pan(camera: BodyCamera, dx: number, dy: number): BodyCamera {
  const { right, down } = directionsOf(camera.turn);
  const center = camera.center.map(
    (at, n) => at - ((right[n] as number) * dx + (down[n] as number) * dy) * camera.mmPerPx,
  );
  return { ...camera, center: center as unknown as Triple };
}

const LEAST_MM_PER_PX = 0.01;
const MOST_MM_PER_PX = 10;

/** Larger than 1: nearer; what lies under `at` stays there. */
export function zoom(camera: BodyCamera, size: Size, factor: number, at?: Point): BodyCamera {
  const mmPerPx = Math.min(MOST_MM_PER_PX, Math.max(LEAST_MM_PER_PX, camera.mmPerPx / factor));
  if (at === undefined) {
    return { ...camera, mmPerPx };
  }
  const [dx, dy] = [at.x - size.width / 2, at.y - size.height / 2];
  const moved = pan(camera, -dx, -dy);
  return { ...pan({ ...moved, mmPerPx }, dx, dy) };
}

/** All of the body from this side, whole in the picture. */
export function fitBody(corners: readonly Triple[], size: Size, turn: Quaternion): BodyCamera {
  const center = [0, 1, 2].map(
    (n) => corners.reduce((sum, corner) => sum + (corner[n] as number), 0) / Math.max(1, corners.length),
  ) as unknown as Triple;
  const { right, down } = directionsOf(turn);
  const reach = (direction: Triple): number =>
    Math.max(1, ...corners.map((corner) => Math.abs(corner.reduce((sum, part, n) => sum + (part - (center[n] as number)) * (direction[n] as number), 0))));
  const mmPerPx = Math.max((2 * reach(right)) / size.width, (2 * reach(down)) / size.height) * MARGIN;
  return { turn, center, mmPerPx };
}

const MARGIN = 1.12;

/** In a picture of another size as much of the body is in sight. */
export function resized(camera: BodyCamera, before: Size, now: Size): BodyCamera {
  const share = (one: Size): number => Math.max(1, Math.min(one.width, one.height));
  return { ...camera, mmPerPx: (camera.mmPerPx * share(before)) / share(now) };
}

/** Where a point of the patient is on the picture. */
export function placeOn(camera: BodyCamera, size: Size, lps: Triple): Point {
  const { right, down } = directionsOf(camera.turn);
  const along = (direction: Triple): number =>
    lps.reduce((sum, part, n) => sum + (part - (camera.center[n] as number)) * (direction[n] as number), 0);
  return { x: size.width / 2 + along(right) / camera.mmPerPx, y: size.height / 2 + along(down) / camera.mmPerPx };
}
