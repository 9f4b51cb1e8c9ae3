/** What arrives while a study is open joins it quietly: series, counts, images; the reader stays where he is. */

import type { Series } from "../core/facts";
import type { ViewerPage } from "../io/api";
import type { MarkNews } from "../io/finding-sync";
import { asNumber, asText, type JsonObject } from "../io/read";
import { fetchSeries, fetchStack } from "../io/stack";
import { renewSeries, renewStack } from "../state/changes";
import type { Store } from "../state/store";
import { Live } from "./live";

/** Images of one series come in bursts. */
const PAUSE_MS = 1_000;
const RETRY_MS = 10_000;
const MOST_TRIES = 5;

/** Who hears of marks that somebody made, changed or deleted. */
export interface MarkListener {
  onNews(news: MarkNews): void;
  onReset(): void;
  onKeyImages(): void;
}

export class StudyNews {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly outdated = new Set<string>();
  private isBusy = false;
  private isDue = false;
  private tries = 0;

  constructor(
    private readonly page: ViewerPage,
    private readonly store: Store,
    private readonly marks: MarkListener,
    private readonly onState: (state: "on" | "off") => void,
    private readonly onJobs: (news: JsonObject) => void,
  ) {}

  listen(): void {
    const { eventsUrl, newestEvent, study } = this.page;
    if (eventsUrl !== "") {
      const onStudies = (studies: string[]): void => {
        if (studies.includes(study.id)) {
          this.renewLater(PAUSE_MS);
        }
      };
      const onReset = (): void => {
        this.renewLater(PAUSE_MS);
        this.marks.onReset();
        this.marks.onKeyImages();
      };
      const onMarks = (id: string, news: JsonObject): void => {
        const family = asText(news["mark"]);
        if (id === study.id && family === "key_image") {
          this.marks.onKeyImages();
        } else if (id === study.id && family === "layer") {
          this.marks.onReset();
        } else if (family === "measurement" || family === "annotation") {
          const version = asNumber(news["version"]) ?? 0;
          this.marks.onNews({ studyId: id, family, id: asText(news["id"]), version, isGone: news["what"] === "deleted" });
        }
      };
      new Live(null, eventsUrl, newestEvent, { onStudies, onReset, onMarks, onJobs: this.onJobs, onState: this.onState }).open();
    }
  }

  /** Swaps a newer stack in while the one before stays on the screen. */
  renewStack(seriesId: string): void {
    this.outdated.add(seriesId);
    this.renewLater(0);
  }

  private renewLater(pauseMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.renew();
    }, pauseMs);
  }

  /** Whatever goes wrong here, the pictures on the screen stay. */
  private async renew(): Promise<void> {
    if (this.isBusy) {
      this.isDue = true;
      return;
    }
    this.isBusy = true;
    try {
      await this.fetch();
      this.tries = 0;
    } catch {
      this.tries += 1;
      if (this.tries < MOST_TRIES) {
        this.renewLater(RETRY_MS);
      }
    }
    this.isBusy = false;
    if (this.isDue) {
      this.isDue = false;
      this.renewLater(PAUSE_MS);
    }
  }

  private async fetch(): Promise<void> {
    const { series: before } = this.store.state;
    const series = await fetchSeries(this.page.seriesUrl);
    series.filter((now) => isOutdated(before, now)).forEach(({ id }) => this.outdated.add(id));
    this.store.change(renewSeries(series));
    for (const { id, stackUrl } of series.filter((one) => this.outdated.has(one.id))) {
      const kind = this.store.state.stacks.get(id)?.kind;
      if (kind === "ready" || kind === "failed") {
        this.store.change(renewStack(id, await fetchStack(stackUrl)));
      }
      this.outdated.delete(id);
    }
  }
}

function isOutdated(before: readonly Series[], now: Series): boolean {
  const then = before.find(({ id }) => id === now.id);
  return then?.instanceCount !== now.instanceCount || then.frameCount !== now.frameCount || then.hasPassport !== now.hasPassport;
}
