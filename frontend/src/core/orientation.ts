/** Letters on the picture's edges (PS3.3 C.7.6.1.1.1): L, P, H are +x, +y, +z of the patient. */

import type { ImageFacts } from "./facts";
import { canvasFromImage, type Matrix, type View } from "./view";

export interface EdgeLetters {
  readonly top: string;
  readonly right: string;
  readonly bottom: string;
  readonly left: string;
}

const NONE: EdgeLetters = { top: "", right: "", bottom: "", left: "" };
const OPPOSITE: Readonly<Record<string, string>> = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
const SMALLEST_PART = 0.25;

/** The direction's letters, strongest first; a part below a quarter is not named (`imaging.geometry`). */
export function lettersOf(direction: readonly number[]): string {
  const length = Math.hypot(...direction);
  const names: readonly (readonly [string, string])[] = [
    ["L", "R"],
    ["P", "A"],
    ["H", "F"],
  ];
  return direction
    .map((part, axis) => ({ size: Math.abs(part) / length, letter: names[axis]?.[part >= 0 ? 0 : 1] ?? "" }))
    .filter(({ size }) => size >= SMALLEST_PART)
    .sort((one, other) => other.size - one.size)
    .map(({ letter }) => letter)
    .join("");
}

export function oppositeLetters(letters: string): string {
  return [...letters].map((letter) => OPPOSITE[letter] ?? "").join("");
}

/** What lies towards each edge of the canvas, after rotation and mirror; empty when the file says nothing. */
export function edgeLetters(facts: ImageFacts, view: View): EdgeLetters {
  const along = directionsOf(facts);
  if (along === null) {
    return NONE;
  }
  const flat = { width: 0, height: 0 };
  const matrix = canvasFromImage({ ...view, scale: 1 }, { ...flat, pixelAspect: 1 }, flat);
  if (along.kind === "words") {
    return wordsOnEdges(along.row, along.column, matrix);
  }
  const { a, b, c, d } = matrix;
  const right = along.row.map((part, i) => part * a + (along.column[i] ?? 0) * c);
  const down = along.row.map((part, i) => part * b + (along.column[i] ?? 0) * d);
  const [rightLetters, downLetters] = [lettersOf(right), lettersOf(down)];
  return {
    top: oppositeLetters(downLetters),
    right: rightLetters,
    bottom: downLetters,
    left: oppositeLetters(rightLetters),
  };
}

type Directions =
  | { kind: "vectors"; row: readonly number[]; column: readonly number[] }
  | { kind: "words"; row: string; column: string };

function directionsOf(facts: ImageFacts): Directions | null {
  const cosines = facts.imageOrientationPatient;
  if (cosines !== null && cosines.length === 6) {
    return { kind: "vectors", row: cosines.slice(0, 3), column: cosines.slice(3, 6) };
  }
  const words = facts.patientOrientation;
  if (words !== null && words.length === 2) {
    return { kind: "words", row: words[0] ?? "", column: words[1] ?? "" };
  }
  return null;
}

/** Patient Orientation is words already (mammography: "A", "FL"); they hold for quarter turns. */
function wordsOnEdges(row: string, column: string, matrix: Matrix): EdgeLetters {
  const edges = { top: "", right: "", bottom: "", left: "" };
  edges[edgeOf(matrix.a, matrix.b)] = row;
  edges[edgeOf(-matrix.a, -matrix.b)] = oppositeLetters(row);
  edges[edgeOf(matrix.c, matrix.d)] = column;
  edges[edgeOf(-matrix.c, -matrix.d)] = oppositeLetters(column);
  return edges;
}

function edgeOf(x: number, y: number): keyof EdgeLetters {
  if (Math.abs(x) >= Math.abs(y)) {
    return x > 0 ? "right" : "left";
  }
  return y > 0 ? "bottom" : "top";
}
