/**
 * Which pane may ask next, so that few requests serve many panes: the active pane's picture first, then
 * what the others must show, then what lies ahead in the active pane, then ahead in the others.
 */

/** Browsers open six connections to one server; one carries the news, one stays free. */
const MOST_REQUESTS = 4;
/** Of one pane, so that the others are not kept waiting. */
const MOST_OF_ONE = 2;

/** The rank from which images are only ahead of the reader. */
const AHEAD = 2;

/** What the traffic asks of a pane's loader. */
export interface Lane {
  /** Requests under way. */
  readonly requestCount: number;
  /** The next images to ask for, stack indices in the order of need; empty when there is nothing to do. */
  needed(underWay: ReadonlySet<string>): readonly number[];
  /** Whether the first of them is the one that must be on the screen now. */
  isCurrent(index: number): boolean;
  /** Keys of the frames that were asked for and have not come. */
  underWay(): readonly string[];
  ask(needed: readonly number[]): void;
  /** Drops the oldest request. */
  giveWay(): void;
}

export class Traffic {
  private readonly lanes = new Set<Lane>();
  private activeLane: Lane | null = null;
  private mayGoAhead = false;

  join(lane: Lane): void {
    this.lanes.add(lane);
  }

  leave(lane: Lane): void {
    this.lanes.delete(lane);
  }

  favour(lane: Lane): void {
    this.activeLane = lane;
  }

  /** The first picture has been seen: now come those that lie ahead, which would have delayed it. */
  goAhead(): void {
    this.mayGoAhead = true;
    this.pump();
  }

  /** The part of the cache that a lane may fill ahead: the active pane half, when there are more. */
  shareOf(lane: Lane): number {
    const others = this.lanes.size - 1;
    if (others < 1) {
      return 1;
    }
    return lane === this.activeLane ? 0.5 : 0.5 / others;
  }

  /** Asks as long as there is room and need. */
  pump(): void {
    for (;;) {
      const next = this.mostUrgent();
      if (next === null || (next.rank >= AHEAD && !this.mayGoAhead)) {
        return;
      }
      if (this.requestCount >= MOST_REQUESTS || next.lane.requestCount >= MOST_OF_ONE) {
        if (next.rank > 0 || !this.makeRoom(next.lane)) {
          return;
        }
      }
      next.lane.ask(next.needed);
    }
  }

  private get requestCount(): number {
    return [...this.lanes].reduce((sum, lane) => sum + lane.requestCount, 0);
  }

  /** The picture that the reader waits for goes before everything that is only ahead. */
  private makeRoom(lane: Lane): boolean {
    const others = [...this.lanes].filter((one) => one !== lane && one.requestCount > 0);
    const giving = lane.requestCount >= MOST_OF_ONE ? lane : others[0];
    giving?.giveWay();
    return giving !== undefined;
  }

  private mostUrgent(): { lane: Lane; needed: readonly number[]; rank: number } | null {
    let best: { lane: Lane; needed: readonly number[]; rank: number } | null = null;
    // Two panes may show the same series: what one has asked for, the other does not.
    const underWay = new Set([...this.lanes].flatMap((lane) => lane.underWay()));
    for (const lane of this.lanes) {
      const needed = lane.needed(underWay);
      const [first] = needed;
      if (first === undefined) {
        continue;
      }
      const isActive = lane === this.activeLane;
      const rank = (lane.isCurrent(first) ? 0 : AHEAD) + (isActive ? 0 : 1);
      const isFull = lane.requestCount >= MOST_OF_ONE && rank > 0;
      const isFirst = best === null || rank < best.rank || (rank === best.rank && lane.requestCount < best.lane.requestCount);
      if (!isFull && isFirst) {
        best = { lane, needed, rank };
      }
    }
    return best;
  }
}
