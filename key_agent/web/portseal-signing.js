// @ts-check
/**
 * Signing: files are prepared by the service, shown by the agent and signed with one PIN, and what
 * the card made of them is completed. `SigningJob` keeps every step of every file, so that what
 * failed is tried again without signing anything twice; `signDeclarations` is all of it in one call.
 *
 * @typedef {import("./portseal-agent.js").PortSealAgent} PortSealAgent
 * @typedef {import("./portseal-agent.js").Certificate} Certificate
 * @typedef {import("./portseal-service.js").Options} Options
 *
 * @typedef {import("./portseal-signing-items.js").NamedDocument} NamedDocument
 * @typedef {import("./portseal-signing-items.js").ItemState} ItemState
 */

import { requireVersion } from "./portseal-agent.js";
import { fits } from "./portseal-formats.js";
import {
  ServiceError,
  abandon,
  callService,
  codeOf,
  isOfOneItem,
  toBase64,
} from "./portseal-service.js";
import { JobItem, MOST_CHARACTERS, bundles, charactersOf, toSign } from "./portseal-signing-items.js";
import { signingCertificate } from "./portseal-tokens.js";

export { SUFFIXES, fits, usualFormat } from "./portseal-formats.js";
export { JobItem } from "./portseal-signing-items.js";

/** The service keeps a prepared signature for ten minutes; what may not last is prepared anew. */
const LASTS_MILLISECONDS = 7 * 60 * 1000;
const AT_ONCE = 4;
/** The first agent that signs several documents in one container. */
const SEVERAL_SINCE = "1.3.0";

export class SigningJob {
  /** @type {JobItem[]} */ items = [];
  /** @type {Certificate | null} */ #certificate = null;
  #agent;
  #options;

  /**
   * @param {PortSealAgent} agent
   * @param {{level?: string, card?: string, changed?: (item: JobItem) => void} & Options} [options]
   *   `card`: number of the one that is signed in; `changed`: told of an item in a new state
   */
  constructor(agent, options = {}) {
    this.#agent = agent;
    this.#options = options;
  }

  /**
   * @param {NamedDocument[]} documents several are signed as ASiC-E alone
   * @param {string} format
   * @returns {JobItem}
   */
  add(documents, format) {
    const item = new JobItem(documents, format);
    this.items.push(item);
    return item;
  }

  /** @param {ItemState[]} states */
  in(...states) {
    return this.items.filter((item) => states.includes(item.state));
  }

  /**
   * Everything that is not signed yet; with `again` also what was refused before. What the service
   * refuses is marked so and holds up nothing else. Rejects when nothing can be prepared at all: no
   * agent, nobody signed in, no service. What the service has no room for stays `chosen`: it is
   * for the next time, once what is ready is signed and completed.
   * @param {{again?: boolean}} how
   */
  async prepare({ again } = { again: true }) {
    const { progress = () => {}, signal, card } = this.#options;
    progress("agent");
    const { version } = await this.#agent.ready({ signal });
    const several = this.items.some(({ documents }) => documents.length > 1);
    if (several) requireVersion(version, SEVERAL_SINCE);
    progress("token");
    this.#certificate = await signingCertificate(this.#agent, signal, card);
    const { id } = this.#certificate;
    const stale = this.in("prepared").filter(
      (item) =>
        item.preparedFor !== id || performance.now() - item.preparedAt > LASTS_MILLISECONDS,
    );
    await this.#forget(stale);
    const waiting = this.in("chosen", ...(again ? /** @type {ItemState[]} */ (["refused"]) : []));
    let number = 0;
    await atOnce(waiting, async (item) => {
      number += 1;
      progress("prepare", { number, of: waiting.length });
      try {
        item.prepared = await this.#prepared(item);
        item.preparedAt = performance.now();
        item.preparedFor = id;
        this.#move(item, "prepared");
      } catch (error) {
        if (!isOfOneItem(error)) throw error;
        this.#move(item, "refused", error);
      }
    }).catch((error) => {
      const full = codeOf(error) === "signature.too-many-prepared";
      if (!full || this.in("prepared").length === 0) throw error;
    });
  }

  /** Everything that is prepared, after one question and with one PIN, as far as the agent takes
   * it: what is more gets a question of its own. */
  async sign() {
    const { progress = () => {}, signal } = this.#options;
    const items = this.in("prepared");
    const parts = bundles(items);
    const certificate = this.#certificate?.id ?? "";
    for (const [place, part] of parts.entries()) {
      progress("show", { count: part.length, number: place + 1, of: parts.length });
      const asked = part.map(toSign);
      const values =
        asked.length === 1
          ? [(await this.#agent.sign({ certificate, ...asked[0] }, { signal })).signatureValue]
          : (await this.#agent.signBundle({ certificate, items: asked }, { signal })).signatureValues;
      for (const [each, item] of part.entries()) {
        item.value = values[each];
        this.#move(item, "signed");
      }
    }
  }

  /** Everything that is signed, also what failed before. Rejects for nothing: `items` tell. */
  async complete() {
    const { progress = () => {} } = this.#options;
    const waiting = this.in("signed", "failed");
    let number = 0;
    await atOnce(waiting, async (item) => {
      number += 1;
      progress("complete", { number, of: waiting.length });
      const body = { id: item.prepared?.id, signature_value: item.value };
      try {
        item.receipt = await callService("/api/v1/signatures/complete", body, this.#options);
        this.#move(item, "done");
      } catch (error) {
        const lost = isOfOneItem(error);
        if (lost) {
          item.value = null;
          await abandon([body.id], this.#options); // so that nothing completes it beside the next one
        }
        this.#move(item, lost ? "refused" : "failed", error);
      }
    });
    if (waiting.length > 0 && waiting.every((item) => item.state === "done")) {
      progress("done", { count: waiting.length });
    }
  }

  /** What was prepared and is not wanted any more waits no longer at the service. */
  async abandon() {
    await this.#forget(this.in("prepared"));
  }

  /** @param {JobItem[]} items */
  async #forget(items) {
    if (items.length === 0) return;
    const ids = items.map((item) => item.prepared?.id);
    for (const item of items) this.#move(item, "chosen");
    await abandon(ids, this.#options);
  }

  /** @param {JobItem} item @returns {Promise<Record<string, any>>} */
  async #prepared(item) {
    if (!item.documents.every(({ document }) => fits(document, item.format))) {
      throw new ServiceError(422, "document.unfit", `this cannot be signed as ${item.format}`, {});
    }
    const made = await callService("/api/v1/signatures/prepare", this.#wish(item), this.#options);
    if (charactersOf(item.documents, made) > MOST_CHARACTERS) {
      await abandon([made.id], this.#options);
      throw new ServiceError(413, "document.too-large", "too large for the key agent", {});
    }
    return made;
  }

  /** @param {JobItem} item */
  #wish({ documents, format }) {
    const { level = "B-T" } = this.#options;
    const wish = { certificate: this.#certificate?.der, format, level, draft: true };
    if (!format.startsWith("ASiC")) return { ...wish, document: toBase64(documents[0].document) };
    const named = documents.map(({ document, name }, place) => ({
      name: name ?? `document-${place + 1}`,
      content: toBase64(document),
    }));
    return { ...wish, documents: named };
  }

  /** @param {JobItem} item @param {ItemState} state @param {any} [error] */
  #move(item, state, error = null) {
    item.state = state;
    item.error = error;
    if (state === "chosen" || state === "refused") item.prepared = null;
    this.#options.changed?.(item);
  }
}

/**
 * Show and sign one declaration or document with the card that is signed in.
 * @param {PortSealAgent} agent
 * @param {{document: Uint8Array, format: string, level?: string, name?: string, card?: string}
 *   & Options} what
 * @returns {Promise<Record<string, any>>} the service's receipt: id, signature, indication
 */
export async function signDeclaration(agent, { document, name, ...rest }) {
  const documents = [{ document, name }];
  const [signed] = await signDeclarations(agent, { documents, ...rest });
  return signed;
}

/**
 * Show and sign several after one question, with one PIN: all of them, or none is shown. More than
 * the service or the agent takes at once is signed in several rounds, each with its own question.
 * @param {PortSealAgent} agent
 * @param {{documents: NamedDocument[], format: string, level?: string, card?: string} & Options}
 *   what `card`: number of the one that is signed in
 * @returns {Promise<Record<string, any>[]>} receipts in order. When some cannot be completed it
 *   rejects with the first error, whose `receipts` holds those that could, null for the others
 */
export async function signDeclarations(agent, { documents, format, ...options }) {
  const job = new SigningJob(agent, options);
  for (const each of documents) job.add([each], format);
  try {
    while (job.in("chosen").length > 0) {
      await job.prepare();
      for (const item of job.in("refused")) throw item.error;
      await job.sign();
      await job.complete();
      for (const { error } of job.in("refused", "failed")) throw error;
    }
  } catch (error) {
    await job.abandon();
    if (job.in("done").length === 0) throw error;
    const receipts = job.items.map((each) => each.receipt);
    throw Object.assign(/** @type {any} */ (error), { receipts });
  }
  return job.items.map((item) => item.receipt ?? {});
}

/**
 * A few at once, begun in order; after an error no more are begun.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Promise<void>} work
 */
async function atOnce(items, work) {
  const waiting = [...items];
  const take = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await work(item);
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, take));
  for (const each of ended) if (each.status === "rejected") throw each.reason;
}
