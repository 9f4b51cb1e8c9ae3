/** The way to a finding on a plane: the volume is cut there again. */

import type { Triple } from "../core/facts";
import { measuredPlane, normalOf } from "../core/finding-places";
import type { Finding, MarkPlane } from "../core/findings";
import { lpsFromPx } from "../core/measure-plane";
import { axesAt, PLANE_NAMES, SLAB_MODES, type Mpr, type PlaneName, type SlabMode } from "../core/mpr";
import { activatePane, activePane, openIn } from "./panes";
import type { PaneState, ViewerState } from "./store";
import { forgetVolume, leaveMpr, toggleMpr } from "./volumes";

type Change = (state: ViewerState) => ViewerState;

/** Shows the plane of a finding in the pane that comes nearest; opens three planes when none is there. */
export function showPlaneOf(finding: Finding, plane: MarkPlane): Change {
  return (state) => {
    const { seriesId } = finding;
    const opened = withPlanes(state, seriesId);
    const mpr = opened.mpr.get(seriesId);
    const panes = opened.panes.filter((pane) => pane.seriesId === seriesId && pane.shows === "plane");
    const pane = nearest(panes, plane, mpr);
    if (pane === undefined) {
      return opened;
    }
    const next: Mpr = {
      center: middleOf(finding, plane),
      axes: axesAt(pane.plane, plane.rowDirection, plane.columnDirection),
      slab: { mode: modeOf(plane.mode), thicknessMm: plane.thicknessMm || (mpr?.slab.thicknessMm ?? 10) },
      timePoint: plane.timePoint,
    };
    const shown = activatePane(pane.id)({ ...opened, mpr: new Map(opened.mpr).set(seriesId, next) });
    return mpr !== undefined && mpr.timePoint !== plane.timePoint ? forgetVolume(seriesId)(shown) : shown;
  };
}

function withPlanes(state: ViewerState, seriesId: string): ViewerState {
  if (state.panes.some((pane) => pane.seriesId === seriesId && pane.shows === "plane")) {
    return state;
  }
  const own = state.panes.find((pane) => pane.seriesId === seriesId);
  const active = own === undefined ? openIn(activePane(state).id, seriesId)(state) : activatePane(own.id)(state);
  const left = active.beforeMpr === null ? active : leaveMpr()(active);
  const there = activePane(left).seriesId === seriesId ? left : openIn(activePane(left).id, seriesId)(left);
  return toggleMpr()(there);
}

/** The pane whose plane is turned least against the wanted one. */
function nearest(panes: readonly PaneState[], plane: MarkPlane, mpr: Mpr | undefined): PaneState | undefined {
  const normal = normalOf(plane);
  const nearness = ({ plane: name }: PaneState): number => {
    const [x, y, z] = mpr?.axes[name].normal ?? FIRST_NORMALS[name];
    return Math.abs(normal[0] * x + normal[1] * y + normal[2] * z);
  };
  return [...panes].sort((one, other) => nearness(other) - nearness(one))[0];
}

const FIRST_NORMALS: Readonly<Record<PlaneName, Triple>> = Object.fromEntries(
  PLANE_NAMES.map((name) => [name, { axial: [0, 0, 1], coronal: [0, 1, 0], sagittal: [-1, 0, 0] }[name]]),
) as unknown as Readonly<Record<PlaneName, Triple>>;

function middleOf({ points }: Finding, plane: MarkPlane): Triple {
  const grid = measuredPlane(plane);
  const [x, y] = points.reduce<readonly [number, number]>(([a, b], [c, d]) => [a + c / points.length, b + d / points.length], [0, 0]);
  return lpsFromPx(grid, [x, y]);
}

function modeOf(mode: string): SlabMode {
  return SLAB_MODES.find((one) => one === mode) ?? "thin";
}
