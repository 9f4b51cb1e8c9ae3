/**
 * A body drawn here: when there is a graphics card, and all frames have come and fit. Until then, and
 * where any of it fails, the server draws.
 */

import type { BodyOffer, BodyWish } from "../core/body-look";
import { valuesOf } from "../core/plane-values";
import { t } from "../core/text";
import type { VolumePlan } from "../core/volume-plan";
import type { BodyCaster } from "../render/body-caster";
import type { Stack } from "../core/facts";
import type { PaneHouse } from "./viewer-pane";

export class LocalBody {
  private caster: BodyCaster | null = null;
  private plan: VolumePlan | null = null;
  private state: "waiting" | "making" | "ready" | "impossible" = "waiting";
  private hasCard = false;
  private isDisposed = false;

  constructor(
    private readonly house: PaneHouse,
    private readonly seriesId: string,
    private readonly offer: BodyOffer,
    private readonly onReady: () => void,
  ) {
    void house.engine.then((engine) => {
      // A z table is the server's: the card interpolates between even slices alone.
      if (engine === "webgl" && offer.isEven && !this.isDisposed) {
        this.hasCard = true;
        house.volumes.hold(seriesId);
        house.store.announce();
      }
    });
  }

  get note(): string {
    return this.caster?.isReduced === true ? t("Reduced: the graphics card's memory is short") : "";
  }

  /** After every change and every frame that has come. */
  follow(): void {
    const { volumes, stacks } = this.house.store.state;
    const [volume, stack] = [volumes.get(this.seriesId), stacks.get(this.seriesId)];
    if (!this.hasCard || this.state !== "waiting" || volume?.kind !== "ready" || stack?.kind !== "ready") {
      return;
    }
    if (this.house.volumes.serverReason(volume.plan, stack.stack) !== "") {
      this.state = "impossible";
    } else if (this.house.volumes.arrived(volume.plan).here === volume.plan.keys.length) {
      this.state = "making";
      void this.make(volume.plan, stack.stack);
    }
  }

  /** Whether it was drawn: else the server is asked. */
  draw(wish: BodyWish, canvas: HTMLCanvasElement, isMoving: boolean): boolean {
    if (this.state !== "ready" || this.caster === null || this.plan === null) {
      return false;
    }
    const drawn = this.caster.draw(this.plan, wish, this.offer.shade, isMoving);
    if (drawn === null) {
      this.state = "impossible";
      return false;
    }
    [canvas.width, canvas.height] = [drawn.width, drawn.height];
    canvas.getContext("2d")?.drawImage(drawn, 0, 0);
    canvas.dataset["quality"] = isMoving ? "draft" : "fine";
    return true;
  }

  dispose(): void {
    this.isDisposed = true;
    this.caster?.dispose();
    this.caster = null;
    if (this.hasCard) {
      this.house.volumes.release(this.seriesId);
    }
  }

  private async make(plan: VolumePlan, stack: Stack): Promise<void> {
    try {
      const { BodyCaster } = await import("../render/body-caster");
      const images = new Map(stack.images.map((facts) => [facts.key, facts] as const));
      const facts = plan.keys.map((key) => images.get(key)).filter((one) => one !== undefined);
      const caster = new BodyCaster();
      const isMade = await caster.load(plan, valuesOf(facts), this.house.volumes.slicesOf(plan), () => !this.isDisposed);
      if (!isMade || this.isDisposed) {
        caster.dispose();
        this.state = "impossible";
        return;
      }
      [this.caster, this.plan, this.state] = [caster, plan, "ready"];
      this.onReady();
    } catch (error) {
      console.warn("The graphics card does not draw this volume; the server does.", error);
      this.state = "impossible";
    }
  }
}
