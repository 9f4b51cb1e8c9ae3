/** Says on the page when news no longer come, when the server does not answer, and when one was logged out. */

import { t } from "../core/text";
import { icon, make, setText } from "./dom";

const ASK_AGAIN_MS = 5_000;

type Trouble = "news" | "server" | "session";

export class Connection {
  private readonly words = make("span");
  private readonly retry = make("button", { type: "button", class: "button" }, t("Try again"));
  readonly root = make("div", { class: "connection", role: "status", hidden: true }, icon("wifi-off"), this.words, this.retry);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private news: "on" | "off" = "on";
  private trouble: Trouble | null = null;

  constructor(
    /** An address of this server that answers whoever is logged in. */
    private readonly address: string,
    private readonly onBack: () => void,
  ) {
    this.retry.addEventListener("click", () => void this.ask());
    window.addEventListener("offline", () => void this.ask());
    window.addEventListener("online", () => void this.ask());
  }

  /** What the stream of news says of itself. */
  hear(state: "on" | "off"): void {
    this.news = state;
    if (state === "off" || this.trouble !== null) {
      void this.ask();
    }
  }

  /** Finds out what is wrong, and goes on asking while something is. */
  private async ask(): Promise<void> {
    const found = await this.find();
    clearTimeout(this.timer);
    const trouble = found ?? (this.news === "off" ? "news" : null);
    const wasOut = this.trouble === "server" || this.trouble === "session";
    this.trouble = trouble;
    this.root.hidden = trouble === null;
    if (trouble !== null) {
      this.root.dataset["trouble"] = trouble;
      setText(this.words, wordsOf(trouble));
      this.timer = setTimeout(() => void this.ask(), ASK_AGAIN_MS);
    }
    if (found === null && wasOut) {
      this.onBack();
    }
  }

  /** What is wrong with the server or with who asks; null: it answers. */
  private async find(): Promise<"server" | "session" | null> {
    try {
      const response = await fetch(this.address, { credentials: "same-origin", cache: "no-store", redirect: "manual" });
      const isOut = response.type === "opaqueredirect" || response.status === 401 || response.status === 403;
      return isOut ? "session" : response.ok ? null : "server";
    } catch {
      return "server";
    }
  }
}

function wordsOf(trouble: Trouble): string {
  switch (trouble) {
    case "news":
      return t("News do not come at the moment: what others change is not seen here.");
    case "server":
      return t("The server cannot be reached. What is here can still be read; nothing is saved.");
    case "session":
      return t("You are logged out. Open the page again to log in.");
  }
}
