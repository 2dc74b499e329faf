// @ts-check
/**
 * `<portseal-progress>`: shows how far a journey with the key agent is, and what went wrong.
 *
 * Its words are data attributes, written by the server in the page's language:
 * `data-step-NAME` for a step, `data-name-NAME` for its short name in the list, `data-state-NAME` for
 * a state of the agent, `data-code-CODE` for a refusal by its code (dots as hyphens), `data-tries-one`
 * for the last try of a PIN and `data-tries-few` for some, `data-versions` for an agent that is too
 * old, `data-failed` for what the service refused, `data-ask` for what is said where the browser will
 * ask first, `data-help` the address of a page that helps with the agent and `data-help-text` its
 * name, `data-show-card` for the button that lets the site see another card and `data-card-shown` for
 * what is said then, `data-ways-STATE` for the pages that lead on from a state, JSON of
 * `[[address, name]]`. `data-steps` lists the steps that are shown, in order; the others only change the line below.
 *
 * `portseal-card-shown` is the event of a card that the site may see from now on: the journey that
 * found none can begin anew.
 */

import { AgentError, PortSealAgent } from "./portseal-agent.js";

/** States that are mended on the user's computer. */
const HELPED = ["missing", "blocked", "too-old", "origin-refused", "no-token"];

/** Codes after which the user is offered to let the site see another card. */
const CARD_WANTED = ["card.no-certificate", "card.not-shown"];

export class PortSealProgress extends HTMLElement {
  /** @type {HTMLOListElement} */ #list = document.createElement("ol");
  /** @type {HTMLParagraphElement} */ #line = document.createElement("p");
  /** @type {string | null} */ #current = null;

  constructor() {
    super();
    this.step = this.step.bind(this);
    this.fail = this.fail.bind(this);
    this.showCard = this.showCard.bind(this);
  }

  connectedCallback() {
    this.#list.className = "steps";
    this.#line.className = "agent-line";
    this.#line.setAttribute("role", "status");
    this.replaceChildren(this.#list, this.#line);
    this.reset();
    this.#warn();
  }

  /** Where the browser will ask its user before the page reaches the agent, it is said before. */
  async #warn() {
    const words = this.#words("ask");
    if (!words || !(await PortSealAgent.wouldAskUser())) return;
    if (this.#current === null && !this.dataset.outcome) this.#line.textContent = words;
  }

  get #names() {
    return (this.dataset.steps ?? "").split(/\s+/).filter(Boolean);
  }

  /** Back to the beginning. */
  reset() {
    this.#current = null;
    this.removeAttribute("data-outcome");
    this.#line.textContent = "";
    this.#list.hidden = true;
    this.#list.replaceChildren(
      ...this.#names.map((name) => {
        const item = document.createElement("li");
        item.dataset.step = name;
        item.textContent = this.#words(`name-${name}`) ?? this.#words(`step-${name}`) ?? name;
        return item;
      }),
    );
  }

  /**
   * A step begins. Bound: hand it over as a journey's `progress`.
   * @param {string} name
   * @param {Record<string, any>} [facts]
   */
  step(name, facts = {}) {
    if (this.dataset.outcome) this.reset();
    this.#list.hidden = this.#names.length === 0;
    this.#current = name;
    const reached = name === "done" ? this.#names.length : this.#names.indexOf(name);
    for (const [place, item] of [...this.#list.children].entries()) {
      if (reached < 0) break; // a step between those that are shown
      item.classList.toggle("done", place < reached);
      if (place === reached) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
    const words = this.#words(`step-${name}`) ?? "";
    this.#line.textContent = facts.of > 1 ? `${words} (${facts.number}/${facts.of})` : words;
    if (name === "done") this.dataset.outcome = "done";
  }

  /**
   * The journey ended with an error. Bound.
   * @param {any} error
   */
  fail(error) {
    this.dataset.outcome = "failed";
    for (const item of this.#list.children) {
      item.classList.toggle("failed", item.hasAttribute("aria-current"));
    }
    const alert = document.createElement("strong");
    alert.textContent = error instanceof AgentError ? this.#ofAgent(error) : this.#ofService(error);
    const code = document.createElement("code");
    code.textContent = error?.code ?? "page.failed";
    this.#line.replaceChildren(alert, " ", code, ...this.#help(error), ...this.#offer(error));
    if (!error?.code) console.error(error);
  }

  /**
   * Ways to the pages that help; where the matter is the user's computer, to the one about that.
   * @param {any} error
   */
  #help(error) {
    if (!(error instanceof AgentError)) return [];
    const { help, helpText } = this.dataset;
    const ways = JSON.parse(this.#words(`ways-${error.state}`) ?? "[]");
    if (help && HELPED.includes(error.state)) ways.push([help, helpText]);
    return ways.flatMap((/** @type {[string, string]} */ [href, textContent]) => [
      " ", Object.assign(document.createElement("a"), { href, textContent }),
    ]);
  }

  /** @param {any} error */
  #offer(error) {
    const words = this.#words("show-card");
    if (!words || !(error instanceof AgentError) || !CARD_WANTED.includes(error.code)) return [];
    const button = Object.assign(document.createElement("button"), {
      type: "button", className: "secondary", textContent: words, onclick: this.showCard,
    });
    return [" ", button];
  }

  /**
   * Ask the user, in the agent's window, whether this site may see the cards that are plugged in and
   * that it does not see yet. Bound.
   */
  async showCard() {
    const agent = PortSealAgent.of(this);
    this.step("show-card");
    try {
      const before = await certificatesSeen(agent);
      await agent.connect();
      if ((await certificatesSeen(agent)) === before) {
        throw new AgentError("no-certificate", "card.none-more", "no other card is plugged in");
      }
      this.#line.textContent = this.#words("card-shown");
      this.dataset.outcome = "done";
      this.dispatchEvent(new Event("portseal-card-shown"));
    } catch (error) {
      this.fail(error);
    }
  }

  /** The step that was told last. */
  get current() {
    return this.#current;
  }

  /** @param {any} error */
  #ofService(error) {
    if (error?.status === 0) return this.#ofCode(error.code) ?? error.detail; // it refused nothing
    return [this.#words("failed"), this.#ofCode(error?.code) ?? error?.detail].filter(Boolean).join(" ");
  }

  /** @param {string | undefined} code */
  #ofCode(code) {
    return code === undefined ? null : this.#words(`code-${code.replaceAll(".", "-")}`);
  }

  /** @param {AgentError} error */
  #ofAgent(error) {
    const why = this.#ofCode(error.code);
    const told = this.#words(`state-${error.state}`) ?? error.detail;
    const tries = error.state === "wrong-pin" && error.tries ? `tries-${error.tries}` : null;
    const versions = error.state === "too-old" ? this.#filled("versions", error.facts) : null;
    const refused = error.state === "refused" ? (why ?? error.detail) : null;
    const first = error.state === "refused" ? told : (why ?? told);
    return [first, versions, tries ? this.#words(tries) : null, refused].filter(Boolean).join(" ");
  }

  /**
   * @param {string} name
   * @param {Record<string, any>} facts
   */
  #filled(name, facts) {
    return this.#words(name)?.replace(/\{(\w+)\}/g, (_, fact) => facts[fact] ?? "?");
  }

  /** @param {string} name as in the attribute, without `data-` */
  #words(name) {
    return this.getAttribute(`data-${name}`);
  }
}

/** @param {PortSealAgent} agent */
async function certificatesSeen(agent) {
  const { tokens } = await agent.tokens();
  return tokens.flatMap((token) => token.certificates).length;
}

// A page may hold two copies of this file, its own and a library's: the first one counts.
if (!customElements.get("portseal-progress")) {
  customElements.define("portseal-progress", PortSealProgress);
}
