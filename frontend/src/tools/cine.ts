/** Plays the stack as a film; waits for a frame that has not come yet. */

import { activeStack, nextOfFilm, stepRound } from "../state/changes";
import { isCut } from "../state/curves";
import { activePane } from "../state/panes";
import type { Store } from "../state/store";

export class Cine {
  private handle = 0;
  private due = 0;

  constructor(
    private readonly store: Store,
    private readonly isReady: (key: string) => boolean,
  ) {
    store.subscribe(() => this.follow());
  }

  private follow(): void {
    const { isPlaying } = this.store.state.cine;
    if (isPlaying && this.handle === 0) {
      this.due = performance.now();
      this.handle = requestAnimationFrame((now) => this.tick(now));
    } else if (!isPlaying && this.handle !== 0) {
      cancelAnimationFrame(this.handle);
      this.handle = 0;
    }
  }

  private tick(now: number): void {
    this.handle = requestAnimationFrame((next) => this.tick(next));
    const { state } = this.store;
    const place = nextOfFilm(state);
    const next = place === null ? null : activeStack(state)?.images[place.index];
    // At the film's end there is nothing to wait for.
    const isReady = isCut(activePane(state)) || next === null || (next !== undefined && this.isReady(next.key));
    if (now < this.due || !isReady) {
      return;
    }
    const period = 1000 / state.cine.framesPerSecond;
    this.due = Math.max(this.due + period, now);
    this.store.change(stepRound());
  }
}
