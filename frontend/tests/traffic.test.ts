import { expect, test } from "vitest";

import { Traffic, type Lane } from "../src/io/traffic";

/** A loader without a network: it notes what it is told to ask for, and nothing ever comes. */
class Pane implements Lane {
  readonly asked: string[][] = [];

  constructor(
    private readonly name: string,
    private readonly count: number,
    private readonly journal: string[],
    public current = 0,
  ) {}

  get requestCount(): number {
    return this.asked.length;
  }

  underWay(): readonly string[] {
    return this.asked.flat();
  }

  needed(underWay: ReadonlySet<string>): readonly number[] {
    const all = Array.from({ length: this.count }, (_, i) => (this.current + i) % this.count);
    return all.filter((index) => !underWay.has(`${this.name}${index}`));
  }

  isCurrent(index: number): boolean {
    return index === this.current;
  }

  ask(needed: readonly number[]): void {
    const keys = needed.slice(0, 2).map((index) => `${this.name}${index}`);
    this.asked.push(keys);
    this.journal.push(...keys);
  }

  giveWay(): void {
    this.journal.push(`drop ${this.asked.shift()?.join(" ") ?? ""}`);
  }
}

function page(...counts: readonly [string, number][]): { traffic: Traffic; panes: Pane[]; journal: string[] } {
  const [traffic, journal] = [new Traffic(), [] as string[]];
  traffic.goAhead();
  const panes = counts.map(([name, count]) => new Pane(name, count, journal));
  panes.forEach((pane) => traffic.join(pane));
  return { traffic, panes, journal };
}

test("the active pane's picture is asked for first, then those of the others, then what lies ahead", () => {
  const { traffic, panes, journal } = page(["a", 9], ["b", 9], ["c", 9]);
  traffic.favour(panes[1] as Pane);
  traffic.pump();
  expect(journal).toEqual(["b0", "b1", "a0", "a1", "c0", "c1", "b2", "b3"]);
});

test("the picture that the reader waits for pushes out what is only ahead", () => {
  const { traffic, panes, journal } = page(["a", 9], ["b", 9]);
  const [, active] = panes as [Pane, Pane];
  traffic.favour(active);
  traffic.pump();
  journal.length = 0;
  active.current = 7;
  traffic.pump();
  expect(journal).toEqual(["drop b0 b1", "b7", "b8"]);
});

test("two panes with the same series do not ask for the same frame twice", () => {
  const { traffic, panes, journal } = page(["a", 6], ["a", 6]);
  traffic.favour(panes[0] as Pane);
  traffic.pump();
  expect(journal).toEqual([...new Set(journal)]);
  expect(journal).toHaveLength(6);
});

test("one pane has the whole cache, several share it with half for the active one", () => {
  const { traffic, panes } = page(["a", 1], ["b", 1], ["c", 1]);
  const [a, b] = panes as [Pane, Pane];
  traffic.favour(a);
  expect([traffic.shareOf(a), traffic.shareOf(b)]).toEqual([0.5, 0.25]);
  traffic.leave(b);
  traffic.leave(panes[2] as Pane);
  expect(traffic.shareOf(a)).toBe(1);
});

test("before the first picture is seen only pictures in sight are asked for", () => {
  const [traffic, journal] = [new Traffic(), [] as string[]];
  const pane = new Pane("a", 9, journal, 4);
  traffic.join(pane);
  pane.asked.push(["a4"]);
  traffic.pump();
  expect(journal).toEqual([]);
  traffic.goAhead();
  expect(journal).toEqual(["a5", "a6"]);
});
