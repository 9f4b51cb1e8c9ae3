/**
 * A pane that shows surfaces of its series: turned, moved and cut open by hand or by keys. Drawn by
 * WebGL 2; without it the pane says so and offers the volume, which the server can draw, and the files.
 */

import { cornersOf, readGlb, type SurfaceMesh } from "../core/surface-mesh";
import { directionsOf, edgesOf, fitBody, SIDES, turnOf, type BodyCamera, type Side } from "../core/body-view";
import type { Triple } from "../core/facts";
import { t } from "../core/text";
import type { Size } from "../core/view";
import { JobError, type JobApi } from "../io/reconstructions";
import { listSurfaces, runJob, type MadeSurface } from "../io/surfaces";
import { openDrawer, type DrawnSurface, type SurfaceDrawer } from "../render/surface-drawer";
import { changePane } from "../state/panes";
import { icon, make, setText } from "./dom";
import { sideName } from "./viewer-body-bar";
import type { PaneContent } from "./viewer-content";
import type { PaneHouse, ViewerPane } from "./viewer-pane";
import { wireHands } from "./viewer-turning-hands";
import { colourFrom, FIRST_LOOK, hexOf, SurfaceList, type SurfaceLook } from "./viewer-surface-list";
import { rangeWords, tissueName } from "./viewer-tissue-words";

/** A picture that takes longer is drawn with a third of the points each way while it moves. */
const SLOW_MS = 60;
const COARSE = 1 / 3;
const SETTLE_MS = 200;
/** Nearer than anything. */
const NOTHING_CUT = -1e9;

interface Remembered {
  readonly camera: BodyCamera | null;
  readonly looks: ReadonlyMap<string, SurfaceLook>;
}
/** How surfaces were seen last, while the page is open; by the series' id. */
const remembered = new Map<string, Remembered>();

export async function makeSurface(pane: ViewerPane, house: PaneHouse, api: JobApi): Promise<PaneContent> {
  return new SurfacePane(pane, house, api, (await house.engine) === "webgl");
}

class SurfacePane implements PaneContent {
  private readonly canvas = make("canvas", { class: "body-picture", "aria-hidden": "true" });
  private readonly letters = {
    top: make("span", { class: "body-letter body-top" }),
    right: make("span", { class: "body-letter body-right" }),
    bottom: make("span", { class: "body-letter body-bottom" }),
    left: make("span", { class: "body-letter body-left" }),
  };
  private readonly field = make(
    "div",
    { class: "body-field", tabindex: "0", role: "img", "aria-label": t("Surface") },
    this.canvas, ...Object.values(this.letters),
  );
  private readonly words = make("div", { class: "body-words surface-words", role: "status", hidden: true });
  private readonly cut = make("input", { type: "range", min: 0, max: 100, step: 1, value: 0, "aria-label": t("Cut open from the front") });
  private readonly list: SurfaceList;
  readonly root: HTMLElement;
  private readonly drawer: SurfaceDrawer | null;
  private readonly resizes = new ResizeObserver(() => this.resize());
  private seriesId = "";
  private abort = new AbortController();
  private work: AbortController | null = null;
  private surfaces: readonly MadeSurface[] = [];
  private readonly meshes = new Map<string, SurfaceMesh>();
  private readonly loading = new Set<string>();
  private looks = new Map<string, SurfaceLook>();
  private camera: BodyCamera | null = null;
  private size: Size = { width: 1, height: 1 };
  private isDue = false;
  /** While the hand turns; then each picture may be coarse. */
  private isMoving = false;
  private isSlow = false;
  private settling = 0;

  constructor(
    private readonly pane: ViewerPane,
    private readonly house: PaneHouse,
    private readonly api: JobApi,
    hasCard: boolean,
  ) {
    this.drawer = openDrawer(this.canvas, hasCard);
    this.list = new SurfaceList({
      change: (id, look) => this.setLook(id, look),
      make: (tissue) => void this.create(tissue),
      cancel: () => this.work?.abort(),
    });
    this.root = make("div", { class: "body-pane surface-pane" }, this.field, this.words, this.list.root, this.bar());
    wireHands(this.field, {
      camera: () => this.camera,
      size: () => this.size,
      setCamera: (camera) => this.setCamera(camera),
      turnTo: (side) => this.turnTo(side),
      reset: () => this.reset(),
    });
    this.resizes.observe(this.field);
  }

  follow(): void {
    const { state } = this.pane;
    if (state !== undefined && state.seriesId !== this.seriesId) {
      this.open(state.seriesId);
    }
  }

  draw(): void {
    // Nothing of the page's state is on this picture; what changes here is drawn at once.
  }

  dispose(): void {
    this.keep();
    this.abort.abort();
    this.work?.abort();
    clearTimeout(this.settling);
    this.resizes.disconnect();
    this.drawer?.dispose();
  }

  // --- what there is -------------------------------------------------------------------------------
  private open(seriesId: string): void {
    this.keep();
    this.abort.abort();
    this.abort = new AbortController();
    this.seriesId = seriesId;
    const before = remembered.get(seriesId);
    this.camera = before?.camera ?? null;
    this.looks = new Map(before?.looks ?? []);
    this.meshes.clear();
    this.surfaces = [];
    this.say(t("Loading"));
    void this.load("");
  }

  /** Lists what has been made; `fresh` is shown, or the newest when nothing is. */
  private async load(fresh: string): Promise<void> {
    const { signal } = this.abort;
    try {
      this.surfaces = await listSurfaces(this.house.apiUrl, this.seriesId, signal);
    } catch (error) {
      if (!signal.aborted) {
        this.say(t("This view could not be loaded."), error instanceof JobError ? error.message : t("The server did not answer."));
      }
      return;
    }
    const first = this.surfaces[0]?.id;
    const isNothingSeen = !this.surfaces.some(({ id }) => this.lookOf(id).isSeen);
    for (const id of [fresh, isNothingSeen ? first : undefined]) {
      if (id !== undefined && id !== "") {
        this.looks.set(id, { ...this.lookOf(id), isSeen: true });
      }
    }
    this.sayWhatThereIs();
    this.changed();
  }

  private sayWhatThereIs(): void {
    if (this.drawer === null) {
      const volume = make("button", { type: "button", class: "button" }, t("Show the volume instead"));
      const { id } = this.pane;
      volume.addEventListener("click", () => this.house.store.change(changePane(id, (pane) => ({ ...pane, shows: "volume" }))));
      this.say(t("This browser cannot draw surfaces: it has no WebGL 2."), t("The volume can be drawn by the server, and surfaces can be downloaded."));
      this.words.append(volume);
    } else if (this.surfaces.length === 0) {
      this.say(t("There is no surface of this series yet."), t("Choose a tissue and make one."));
    } else {
      this.say("");
    }
  }

  private async fetchMesh({ id, glb }: MadeSurface): Promise<void> {
    const { signal } = this.abort;
    this.loading.add(id);
    this.list.say(t("Loading"));
    try {
      const response = await fetch(glb, { credentials: "same-origin", signal });
      if (!response.ok) {
        throw new Error(`${response.status}`);
      }
      this.meshes.set(id, readGlb(await response.arrayBuffer()));
      this.list.say("");
    } catch (error) {
      if (!signal.aborted) {
        console.warn("A surface could not be loaded.", error);
        this.looks.set(id, { ...this.lookOf(id), isSeen: false });
        this.list.say(t("The surface could not be loaded."));
      }
    } finally {
      this.loading.delete(id);
      this.changed();
    }
  }

  private async create(tissue: string): Promise<void> {
    this.work?.abort();
    const work = (this.work = new AbortController());
    const { seriesId } = this;
    this.list.say("");
    this.list.working(0);
    try {
      const job = await runJob(this.api, { series: seriesId, kind: "surface", parameters: { tissue } }, (done) => this.list.working(done), work.signal);
      if (job.status === "done" && seriesId === this.seriesId) {
        await this.load(job.id);
      } else {
        this.list.say(job.reason || t("Cancelled"));
      }
    } catch (error) {
      const words = error instanceof JobError ? error.message : t("The server did not answer.");
      this.list.say(work.signal.aborted ? t("Cancelled") : words);
    } finally {
      this.list.working(null);
    }
  }

  // --- what is seen ----------------------------------------------------------------------------------
  private lookOf(id: string): SurfaceLook {
    return this.looks.get(id) ?? FIRST_LOOK;
  }

  private setLook(id: string, look: SurfaceLook): void {
    this.looks.set(id, look);
    this.changed();
  }

  private get seen(): readonly (readonly [MadeSurface, SurfaceMesh])[] {
    return this.surfaces.flatMap((one) => {
      const mesh = this.meshes.get(one.id);
      return mesh !== undefined && this.lookOf(one.id).isSeen ? [[one, mesh] as const] : [];
    });
  }

  private keep(): void {
    if (this.seriesId !== "") {
      remembered.set(this.seriesId, { camera: this.camera, looks: this.looks });
    }
  }

  private changed(): void {
    const missing = this.surfaces.filter(({ id }) => this.lookOf(id).isSeen && !this.meshes.has(id) && !this.loading.has(id));
    if (this.drawer !== null) {
      missing.forEach((one) => void this.fetchMesh(one));
    }
    this.list.show(this.surfaces, (id) => this.lookOf(id), (id) => hexOf(this.meshes.get(id)?.colour ?? [0.6, 0.5, 0.4]));
    if (this.camera === null && this.meshes.size > 0 && this.size.width > 1) {
      this.camera = this.fitted("front");
    }
    const names = this.seen.map(([{ tissue, lowest, highest }]) => (tissue === "range" ? rangeWords(lowest, highest) : tissueName(tissue)));
    this.field.setAttribute("aria-label", [t("Surface"), ...names].join(", "));
    if (!this.isDue) {
      this.isDue = true;
      requestAnimationFrame(() => {
        this.isDue = false;
        this.paint();
      });
    }
  }

  private paint(): void {
    const { camera, drawer, size } = this;
    if (drawer === null || camera === null || size.width <= 1 || !this.root.isConnected) {
      return;
    }
    const surfaces = this.seen.map(([{ id }, mesh]): DrawnSurface => {
      const { colour, opacity } = this.lookOf(id);
      return { id, mesh, opacity, colour: colourFrom(colour || hexOf(mesh.colour)) };
    });
    const { center } = camera;
    const corners = cornersOf([...this.meshes.values()]);
    const reachMm = Math.max(1, ...corners.map((corner) => Math.hypot(...corner.map((part, n) => part - (center[n] as number)))));
    const started = performance.now();
    drawer.draw(surfaces, { camera, size, reachMm, cutMm: this.cutMm(corners) }, this.isMoving && this.isSlow ? COARSE : 1);
    if (this.isMoving && !this.isSlow) {
      drawer.finish();
      this.isSlow = performance.now() - started > SLOW_MS;
    }
    this.canvas.dataset["triangles"] = `${surfaces.reduce((sum, { mesh }) => sum + mesh.triangles.length / 3, 0)}`;
    const edges = edgesOf(camera.turn);
    for (const edge of ["top", "right", "bottom", "left"] as const) {
      setText(this.letters[edge], edges[edge]);
    }
  }

  /** How deep is cut, seen from the camera's centre; the slider goes from before the surfaces to behind them. */
  private cutMm(corners: readonly Triple[]): number {
    const share = Number(this.cut.value) / 100;
    if (share === 0 || this.camera === null) {
      return NOTHING_CUT;
    }
    const { center, turn } = this.camera;
    const { away } = directionsOf(turn);
    const depths = corners.map((corner) => corner.reduce((sum, part, n) => sum + (part - (center[n] as number)) * (away[n] as number), 0));
    const [near, far] = [Math.min(...depths), Math.max(...depths)];
    return near + share * (far - near);
  }

  /** Whole from the front and from the side: turning about the long axis brings nothing out of sight. */
  private fitted(side: Side): BodyCamera {
    const corners = cornersOf([...this.meshes.values()]);
    const scales = (["front", "left"] as const).map((one) => fitBody(corners, this.size, turnOf(one)).mmPerPx);
    return { ...fitBody(corners, this.size, turnOf(side)), mmPerPx: Math.max(...scales) };
  }

  private setCamera(camera: BodyCamera): void {
    this.camera = camera;
    this.isMoving = true;
    clearTimeout(this.settling);
    this.settling = window.setTimeout(() => {
      this.isMoving = false;
      this.changed();
    }, SETTLE_MS);
    this.changed();
  }

  private turnTo(side: Side): void {
    if (this.camera !== null) {
      this.setCamera({ ...this.camera, turn: turnOf(side) });
    }
  }

  private reset(): void {
    this.cut.value = "0";
    if (this.meshes.size > 0) {
      this.setCamera(this.fitted("front"));
    }
  }

  private say(title: string, detail = ""): void {
    this.words.hidden = title === "";
    this.words.replaceChildren(make("strong", {}, title), make("span", { dir: "auto" }, detail));
  }

  private resize(): void {
    this.size = { width: this.field.clientWidth, height: this.field.clientHeight };
    this.changed();
  }

  // --- hands -------------------------------------------------------------------------------------------
  private bar(): HTMLElement {
    const sides = SIDES.map((side, n) => {
      const letter = { front: "A", back: "P", left: "L", right: "R", head: "H", feet: "F" }[side];
      const made = make("button", { type: "button", class: "body-side", "aria-label": sideName(side), "data-tip": `${sideName(side)} · ${n + 1}` }, letter);
      made.addEventListener("click", () => this.turnTo(side));
      return made;
    });
    const reset = make("button", { type: "button", class: "tool", "aria-label": t("Reset"), "data-tip": `${t("Reset")} · X` }, icon("undo-2"));
    reset.addEventListener("click", () => this.reset());
    this.cut.addEventListener("input", () => this.changed());
    this.cut.addEventListener("keydown", (event) => event.stopPropagation());
    return make(
      "div",
      { class: "body-bar", role: "toolbar", "aria-label": t("Surface") },
      make("div", { class: "body-sides", role: "group", "aria-label": t("Seen from") }, ...sides),
      make("label", { class: "surface-cut" }, make("span", {}, t("Cut")), this.cut),
      reset,
    );
  }
}
