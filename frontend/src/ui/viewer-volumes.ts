/**
 * What the page's volumes are made of: the server's plan of each series that is shown as planes, and its
 * frames, fetched around the planes into the cache that pictures are drawn from.
 */

import type { Slices } from "../core/cut";
import type { Series, Stack, Triple } from "../core/facts";
import { applyAffine, nearestNumber, type VolumePlan } from "../core/volume-plan";
import { FrameLoader } from "../io/frames";
import type { Traffic } from "../io/traffic";
import { fetchVolume } from "../io/volume";
import { isCut } from "../state/curves";
import type { FrameCache } from "../state/frame-cache";
import { seriesIn, stackIn } from "../state/panes";
import type { PaneState, Store } from "../state/store";
import { setVolume } from "../state/volumes";

/** The part of the cache that one volume may fill; the rest is for the pictures beside it. */
const VOLUME_SHARE = 0.8;
const LITTLE_MEMORY_GB = 2;

/** Why planes come from the server; "" when they are cut here. */
export type ServerReason = "" | "memory" | "tables" | "chosen";

interface Loading {
  readonly loader: FrameLoader;
  readonly plan: VolumePlan;
  /** Places in the stack, in the order of the slices. */
  readonly indices: readonly number[];
  nearest: number;
}

export class Volumes {
  private readonly loadings = new Map<string, Loading>();
  private readonly asked = new Map<string, string>();
  /** Series whose frames are wanted for more than planes: how many hold them. */
  private readonly held = new Map<string, number>();
  /** Volumes whose frames the cache keeps ready. */
  private kept: readonly VolumePlan[] = [];

  constructor(
    private readonly store: Store,
    private readonly cache: FrameCache,
    private readonly traffic: Traffic,
    private readonly isServerDrawn: boolean,
    private readonly onOutdated: (seriesId: string) => void,
  ) {}

  /** After every change: plans and frames of what is shown as planes now, and nothing for other series. */
  follow(): void {
    const { state } = this.store;
    const panes = [...state.panes.flatMap((pane) => overlaid(pane)), ...state.panes];
    const wanted = new Map(panes.filter((pane) => this.isWanted(pane)).map((pane) => [pane.seriesId, pane] as const));
    for (const [seriesId, { loader }] of this.loadings) {
      if (!wanted.has(seriesId)) {
        loader.close();
        this.loadings.delete(seriesId);
      }
    }
    wanted.forEach((pane) => this.want(pane));
    this.holdFrames();
  }

  /** Planes look at all slices of their volumes. */
  private holdFrames(): void {
    const plans = [...this.loadings.values()].map(({ plan }) => plan);
    if (plans.length !== this.kept.length || plans.some((plan, place) => plan !== this.kept[place])) {
      this.kept = plans;
      this.cache.hold(new Set(plans.flatMap(({ keys }) => keys)));
    }
  }

  /** The frames of a series are wanted as long as a pane shows its volume and somebody holds it. */
  hold(seriesId: string): void {
    this.held.set(seriesId, (this.held.get(seriesId) ?? 0) + 1);
  }

  release(seriesId: string): void {
    this.held.set(seriesId, Math.max(0, (this.held.get(seriesId) ?? 0) - 1));
  }

  private isWanted({ shows, seriesId }: PaneState): boolean {
    return isCut({ shows }) || (shows === "volume" && (this.held.get(seriesId) ?? 0) > 0);
  }

  /** Goes before the others when frames are asked for. */
  favour(seriesId: string): void {
    const loading = this.loadings.get(seriesId);
    if (loading !== undefined) {
      this.traffic.favour(loading.loader);
    }
  }

  /** For each slice its stored values, as far as they have come. */
  slicesOf(plan: VolumePlan): Slices {
    return plan.keys.map((key) => this.cache.get(key));
  }

  /** How many slices are here, and how many will not come. */
  arrived(plan: VolumePlan): { readonly here: number; readonly failed: number } {
    const loader = this.loadings.get(plan.seriesId)?.loader;
    const here = plan.keys.filter((key) => this.cache.has(key)).length;
    return { here, failed: plan.keys.filter((key) => loader?.failureOf(key) !== undefined).length };
  }

  /** Whether the frames do not fit here, or would not tell all; then the server cuts. */
  serverReason(plan: VolumePlan, stack: Stack): ServerReason {
    if (this.isServerDrawn) {
      return "chosen";
    }
    if (plan.needsTables) {
      return "tables";
    }
    const bytes = stack.images.find(({ key }) => key === plan.middleKey)?.bytes ?? 0;
    const { deviceMemory = Infinity } = navigator as { readonly deviceMemory?: number };
    const share = deviceMemory <= LITTLE_MEMORY_GB ? VOLUME_SHARE / 2 : VOLUME_SHARE;
    return bytes * plan.keys.length > this.cache.budgetBytes * share ? "memory" : "";
  }

  retry(seriesId: string): void {
    this.loadings.get(seriesId)?.loader.retry();
    if (this.store.state.volumes.get(seriesId)?.kind === "failed") {
      this.asked.delete(seriesId);
      this.follow();
    }
  }

  private want(pane: PaneState): void {
    const { state } = this.store;
    const [series, stack] = [seriesIn(state, pane), stackIn(state, pane)];
    if (series === undefined || stack === null) {
      return;
    }
    const volume = state.volumes.get(series.id);
    const timePoint = state.mpr.get(series.id)?.timePoint ?? 0;
    const isKnown = volume?.kind === "ready" && volume.stackVersion === stack.version && volume.plan.timePoint === timePoint;
    if (volume === undefined || (!isKnown && volume.kind !== "loading")) {
      this.plan(series, stack, timePoint);
    }
    if (volume?.kind === "ready" && this.serverReason(volume.plan, stack) === "") {
      this.load(series, stack, volume.plan);
    }
  }

  /** Asks for the plan, once for each version of the stack. */
  private plan(series: Series, stack: Stack, timePoint: number): void {
    const asking = `${stack.version} ${timePoint}`;
    if (this.asked.get(series.id) === asking) {
      return;
    }
    this.asked.set(series.id, asking);
    void fetchVolume(series.stackUrl, series.id, timePoint).then((answer) => {
      if (this.asked.get(series.id) !== asking) {
        return;
      }
      this.store.change(setVolume(series.id, answer.kind === "planned" ? { kind: "ready", plan: answer.plan, stackVersion: stack.version } : answer));
    });
  }

  private load(series: Series, stack: Stack, plan: VolumePlan): void {
    const loading = this.loadings.get(series.id);
    const nearest = this.nearestSlice(plan);
    if (loading?.plan === plan) {
      if (loading.nearest !== nearest) {
        loading.nearest = nearest;
        loading.loader.reorder(aroundSlice(loading.indices, nearest));
      }
      return;
    }
    loading?.loader.close();
    const places = new Map(stack.images.map(({ key }, index) => [key, index] as const));
    const indices = plan.keys.map((key) => places.get(key)).filter((index): index is number => index !== undefined);
    const loader = new FrameLoader(this.cache, this.traffic, () => this.store.announce(), this.onOutdated);
    loader.openAll(stack, series.stackUrl, aroundSlice(indices, nearest));
    this.loadings.set(series.id, { loader, plan, indices, nearest });
  }

  /** The slice through the crossing. */
  private nearestSlice(plan: VolumePlan): number {
    const center = this.store.state.mpr.get(plan.seriesId)?.center;
    const [, , w] = center === undefined ? ([0, 0, 0] as Triple) : applyAffine(plan.ijwFromLps, center);
    return nearestNumber(plan, w);
  }
}

/** What lies over a pane's pictures is cut from its volume: as if a pane showed a plane of it. */
function overlaid(pane: PaneState): PaneState[] {
  const { fusion } = pane;
  return fusion == null || fusion.isHidden ? [] : [{ ...pane, seriesId: fusion.seriesId, shows: "plane", fusion: null }];
}

/** From one slice outwards, on both sides in turn. */
function aroundSlice(indices: readonly number[], nearest: number): number[] {
  return indices
    .map((index, k) => ({ index, far: Math.abs(k - nearest) }))
    .sort((one, other) => one.far - other.far)
    .map(({ index }) => index);
}

export function isPlanePane(pane: PaneState | undefined): boolean {
  return pane !== undefined && isCut(pane);
}
