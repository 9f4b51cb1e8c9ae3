import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Centrelines, readLine } from "../src/io/centrelines";
import type { Json, JsonObject } from "../src/io/read";
import { addCurvePoint, clearCurve, curveOf, setCurveWish } from "../src/state/curves";
import { firstPane } from "../src/state/panes";
import { Store, type ViewerState } from "../src/state/store";

/** What docs/measurements.md says of `/api/v1/centrelines/`, as small as can be. */
class Server {
  row: JsonObject | null = null;
  readonly asked: string[] = [];

  readonly fetch = async (_url: string, init: RequestInit = {}): Promise<Response> => {
    await Promise.resolve();
    const method = init.method ?? "GET";
    const body = init.body === undefined ? {} : (JSON.parse(init.body as string) as JsonObject);
    this.asked.push(method);
    const [status, answer] = this.answer(method, body);
    return new Response(status === 204 ? null : JSON.stringify(answer), { status });
  };

  private answer(method: string, body: JsonObject): [number, Json] {
    const { row } = this;
    if (method === "GET") {
      return [200, { results: row === null ? [] : [row] }];
    }
    if (method === "DELETE") {
      this.row = null;
      return [204, null];
    }
    if (method === "POST" ? row !== null : row?.["version"] !== body["version"]) {
      return [409, { current: row }];
    }
    this.row = { id: "l1", ...row, ...body, version: ((row?.["version"] as number | undefined) ?? 0) + 1 };
    return [200, this.row];
  }
}

let server: Server;
let told: string[];

function page(): Store {
  const pane = { ...firstPane("s"), shows: "curved" as const };
  const store = new Store({ panes: [pane], curves: new Map() } as unknown as ViewerState);
  const lines = new Centrelines(store, "/api/v1/", "token", true, (why) => told.push(why));
  store.subscribe(() => lines.follow());
  store.announce();
  return store;
}

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  told = [];
  vi.stubGlobal("fetch", server.fetch);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(2000);

test("a line is kept within a second, comes back after a reload, and goes when it is removed", async () => {
  const store = page();
  await settle();
  store.change(addCurvePoint("s", 0, [1, 2, 3]));
  store.change(addCurvePoint("s", 1, [4, 5, 6.5]));
  store.change(setCurveWish("s", { form: "stretched", widthMm: 40 }));
  await vi.advanceTimersByTimeAsync(1000);
  expect(server.row).toMatchObject({ points_lps_mm: [[1, 2, 3], [4, 5, 6.5]], form: "stretched", width_mm: 40, version: 1 });
  await settle();
  expect(server.asked).toEqual(["GET", "POST"]);

  const again = page();
  await settle();
  expect(curveOf(again.state, "s").wish).toEqual(readLine(server.row ?? {}));
  expect(server.asked).toEqual(["GET", "POST", "GET"]);
  again.change(addCurvePoint("s", 2, [7, 8, 9]));
  await settle();
  expect(server.row).toMatchObject({ version: 2 });
  again.change(clearCurve("s"));
  await settle();
  expect(server.row).toBeNull();
});

test("what was changed in another window is not written over, and is said", async () => {
  const [one, other] = [page(), page()];
  await settle();
  one.change(addCurvePoint("s", 0, [1, 2, 3]));
  await settle();
  other.change(addCurvePoint("s", 0, [9, 9, 9]));
  await settle();
  expect(told).toEqual(["elsewhere"]);
  expect(curveOf(other.state, "s").wish.points).toEqual([[1, 2, 3]]);
  expect(server.row).toMatchObject({ points_lps_mm: [[1, 2, 3]], version: 1 });
});
