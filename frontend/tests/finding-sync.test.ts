import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Finding } from "../src/core/findings";
import type { Pair } from "../src/core/measure-plane";
import { FindingApi } from "../src/io/finding-api";
import { FindingSync } from "../src/io/finding-sync";
import type { Json, JsonObject } from "../src/io/read";
import { FindingStore } from "../src/state/findings";
import { finding } from "./findings";

/** What docs/measurements.md says of the addresses, as small as can be: rows by id, versions, 409. */
class Server {
  readonly rows = new Map<string, JsonObject>();
  readonly asked: string[] = [];
  stored: JsonObject[] = [];
  isAway = false;
  losesAnswer = false;
  private count = 0;

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    await Promise.resolve();
    if (this.isAway) {
      throw new TypeError("no network");
    }
    const method = init.method ?? "GET";
    const body = init.body === undefined ? {} : (JSON.parse(init.body as string) as JsonObject);
    this.asked.push(`${method} ${url}`);
    const [status, answer] = this.answer(method, url, body);
    if (this.losesAnswer) {
      this.losesAnswer = false;
      throw new TypeError("cut off");
    }
    return new Response(status === 204 ? null : JSON.stringify(answer), { status });
  };

  put(row: JsonObject): void {
    this.rows.set(row["id"] as string, { frame: 0, series: "series", instance: "instance", study: "study", created_by: "tess", changed_by: "tess", ...row });
  }

  private answer(method: string, url: string, body: JsonObject): [number, Json] {
    const id = /measurements\/([^/?]+)\//.exec(url)?.[1];
    if (id === undefined && method === "GET") {
      const isMeasurements = url.includes("/measurements/");
      if (url.includes("/stored-marks/")) {
        return [200, { measurements: this.stored }];
      }
      return [200, { next: null, results: isMeasurements ? [...this.rows.values()].filter((row) => row["deleted"] !== true) : [] }];
    }
    if (id === undefined) {
      this.count += 1;
      this.put({ ...body, id: `m${this.count}`, instance: body["instance_id"] ?? "", version: 1, value: 5, unit: "mm", created_by: "rada" });
      return [201, this.rows.get(`m${this.count}`) ?? {}];
    }
    return this.answerOne(method, url, id, body);
  }

  private answerOne(method: string, url: string, id: string, body: JsonObject): [number, Json] {
    const row = this.rows.get(id);
    const version = (row?.["version"] as number | undefined) ?? 0;
    if (url.endsWith("/restore/") && row !== undefined) {
      this.rows.set(id, { ...row, deleted: false, version: version + 1 });
      return [200, this.rows.get(id) ?? {}];
    }
    if (row === undefined || row["deleted"] === true) {
      return [404, { detail: "Not found." }];
    }
    const seen = method === "DELETE" ? Number(/version=(\d+)/.exec(url)?.[1]) : body["version"];
    if (method !== "GET" && seen !== version) {
      return [409, { detail: "Somebody was faster.", current: row }];
    }
    if (method === "GET") {
      return [200, row];
    }
    const next = { ...row, ...(method === "DELETE" ? { deleted: true } : body), version: version + 1 };
    this.rows.set(id, next);
    return method === "DELETE" ? [204, null] : [200, next];
  }
}

let [server, store, sync] = [new Server(), new FindingStore(), null as unknown as FindingSync];

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  store = new FindingStore();
  vi.stubGlobal("fetch", server.fetch);
  vi.stubGlobal("location", { href: "http://house/" });
  sync = new FindingSync(store, new FindingApi("/api/v1/", "study", "token"), "rada");
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settle = (ms = 1000): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const writes = (): string[] => server.asked.filter((line) => !line.startsWith("GET"));
const stateOf = (key = "a"): string | undefined => store.entry(key)?.state;

test("what is drawn is on the server within a second, and many changes are one request", async () => {
  store.add(finding());
  await settle();
  expect(stateOf()).toBe("saved");
  for (let x = 1; x <= 5; x += 1) {
    store.change(finding({ points: [[x, 0], [3, 4]] }));
    await settle(50);
  }
  await settle();
  expect(writes()).toEqual(["POST /api/v1/measurements/", "PATCH /api/v1/measurements/m1/"]);
  expect(server.rows.get("m1")?.["points_px"]).toEqual([[5, 0], [3, 4]]);
  expect(store.entry("a")?.saved).toMatchObject({ version: 2, result: { value: 5, unit: "mm" } });
});

test("a drag is one step and is sent when it is let go", async () => {
  store.add(finding());
  await settle();
  store.hold("a");
  store.adjust(finding({ points: [[1, 1], [3, 4]] }));
  await settle(3000);
  store.adjust(finding({ points: [[2, 2], [3, 4]] }));
  expect(writes()).toHaveLength(1);
  store.letGo();
  await settle();
  expect(server.rows.get("m1")?.["points_px"]).toEqual([[2, 2], [3, 4]]);
  store.undo();
  await settle();
  expect(server.rows.get("m1")?.["points_px"]).toEqual([[0, 0], [3, 4]]);
});

test("undo of a deletion brings the same one back, and redo deletes it again", async () => {
  store.add(finding());
  await settle();
  store.remove("a");
  await settle();
  expect(store.finding("a")).toBeNull();
  store.undo();
  await settle();
  expect(store.entry("a")?.saved?.id).toBe("m1");
  expect(server.rows.get("m1")?.["deleted"]).toBe(false);
  store.redo();
  await settle();
  expect(server.rows.get("m1")?.["deleted"]).toBe(true);
});

test("without the server nothing is lost: it is told, kept, and sent when it is back", async () => {
  server.isAway = true;
  store.add(finding());
  await settle();
  expect(stateOf()).toBe("away");
  store.change(finding({ label: "nodule" }));
  await settle(60_000);
  expect(store.finding("a")?.label).toBe("nodule");
  server.isAway = false;
  await settle(60_000);
  expect(stateOf()).toBe("saved");
  expect([...server.rows.values()].map((row) => row["label"])).toEqual(["nodule"]);
});

test("an answer that was lost does not draw twice", async () => {
  server.losesAnswer = true;
  store.add(finding());
  await settle(30_000);
  expect(stateOf()).toBe("saved");
  expect([...server.rows.keys()]).toEqual(["m1"]);
});

test("when somebody was faster the reader sees both and decides", async () => {
  store.add(finding());
  await settle();
  server.put({ ...server.rows.get("m1"), version: 2, label: "theirs", changed_by: "tess" });
  store.change(finding({ label: "mine" }));
  await settle();
  expect(store.entry("a")).toMatchObject({ state: "conflict", local: { label: "mine" }, saved: { content: { label: "theirs" } } });
  store.settle("a", true);
  await settle();
  expect(server.rows.get("m1")).toMatchObject({ label: "mine", version: 3 });
});

test("news of the other's change end the trying: nothing is written over it unasked", async () => {
  await sync.load("study");
  store.add(finding());
  await settle();
  server.isAway = true;
  store.change(finding({ label: "mine" }));
  await settle();
  server.isAway = false;
  server.put({ ...server.rows.get("m1"), version: 2, label: "theirs" });
  sync.hear({ studyId: "study", family: "measurement", id: "m1", version: 2, isGone: false });
  await settle(120_000);
  expect(stateOf()).toBe("conflict");
  expect(server.rows.get("m1")?.["label"]).toBe("theirs");
});

test("what somebody else deleted can be kept or let go", async () => {
  store.add(finding());
  await settle();
  server.put({ ...server.rows.get("m1"), version: 2, deleted: true });
  store.change(finding({ label: "mine" }));
  await settle();
  expect(stateOf()).toBe("conflict");
  store.settle("a", false);
  expect(store.finding("a")).toBeNull();
});

test("other people's marks come, change and go with the news; the echo of our own does nothing", async () => {
  const points: Pair[] = [[1, 1], [2, 2]];
  server.put({ id: "t1", kind: "length", version: 1, points_px: points as unknown as Json, label: "old" });
  await sync.load("study");
  server.put({ ...server.rows.get("t1"), version: 2, label: "new" });
  sync.hear({ studyId: "study", family: "measurement", id: "t1", version: 2, isGone: false });
  await settle();
  expect(store.finding("t1")?.label).toBe("new");
  const asked = server.asked.length;
  sync.hear({ studyId: "study", family: "measurement", id: "t1", version: 2, isGone: false });
  await settle();
  expect(server.asked).toHaveLength(asked);
  sync.hear({ studyId: "study", family: "measurement", id: "t1", version: 3, isGone: true });
  expect(store.finding("t1")).toBeNull();
});

test("what a stored report measured is seen, and nobody changes it", async () => {
  const row = { id: "sr/0", kind: "length", points_px: [[1, 1], [2, 2]], value: 7, unit: "mm", origin: { title: "Report", author: "AI^Lab" } };
  server.stored = [row, { ...row, id: "sr/1", mark: "m1" }];
  await sync.load("study");
  expect(store.all().map(({ key }) => key)).toEqual(["sr/0"]);
  store.remove("sr/0");
  store.change({ ...(store.finding("sr/0") as Finding), label: "mine" });
  await settle();
  expect(store.entry("sr/0")).toMatchObject({ state: "saved", local: { label: "", layer: "Report" }, saved: { createdBy: "AI^Lab" } });
  expect(writes()).toEqual([]);
});

test("an old step does not undo what somebody else has changed since", async () => {
  await sync.load("study");
  store.add(finding());
  await settle();
  store.change(finding({ label: "mine" }));
  await settle();
  server.put({ ...server.rows.get("m1"), version: 3, label: "theirs" });
  sync.hear({ studyId: "study", family: "measurement", id: "m1", version: 3, isGone: false });
  await settle();
  store.undo();
  await settle();
  expect(store.finding("a")?.label).toBe("theirs");
  expect(server.rows.get("m1")?.["label"]).toBe("theirs");
});

test("marks of a prior come with it, and news of studies that are not on the page are nothing", async () => {
  server.put({ id: "p1", kind: "length", version: 1, points_px: [[1, 1], [2, 2]], study: "prior" });
  sync.hear({ studyId: "prior", family: "measurement", id: "p1", version: 1, isGone: false });
  await settle();
  expect(server.asked).toEqual([]);
  sync.open("prior");
  sync.open("prior");
  await settle();
  expect(store.finding("p1")?.kind).toBe("length");
  expect(server.asked.filter((line) => line.includes("/measurements/?study=prior"))).toHaveLength(1);
  // Another study without it does not take it away.
  server.rows.clear();
  await sync.load("study");
  expect(store.finding("p1")).not.toBeNull();
});

test("a refusal is told in the server's words and not repeated", async () => {
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ errors: { points_px: ["The axes are not perpendicular."] } }), { status: 400 }));
  store.add(finding());
  await settle(60_000);
  expect(store.entry("a")).toMatchObject({ state: "refused", reason: "The axes are not perpendicular." });
});
