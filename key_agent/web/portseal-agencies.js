// @ts-check
/**
 * One entry for several agencies: one signature of the card, and a proof for each agency over its
 * own document alone (`portseal-journeys.js` has the other journeys).
 *
 * @typedef {import("./portseal-agent.js").PortSealAgent} PortSealAgent
 * @typedef {import("./portseal-service.js").Options} Options
 *
 * @typedef {{document: Uint8Array, recipient: string, name?: string}} AgencyPart
 * @typedef {{id: string, recipient: string, proof: string, indication: string}} PartReceipt
 *   `proof`: base64 of the file that goes to the agency beside its document
 */

import { requireVersion } from "./portseal-agent.js";
import { abandon, callService, isOfOneItem, toBase64 } from "./portseal-service.js";
import { signingCertificate } from "./portseal-tokens.js";

/** The agent's method is there since. */
const TREES_SINCE = "1.3.0";

/**
 * A bundle on its way. `run` goes on from where it stopped: what the card signed before is
 * completed without another PIN, and nothing is signed twice.
 */
export class AgencyBundle {
  /** @type {{id: string, signature_value: string} | null} */ #signed = null;
  /** @type {PartReceipt[] | null} */ #receipts = null;
  #agent;
  #parts;
  #options;

  /**
   * @param {PortSealAgent} agent
   * @param {AgencyPart[]} parts up to 64, 32 MiB together
   * @param {{level?: string, card?: string} & Options} [options] `card`: number of the one that is
   *   signed in
   */
  constructor(agent, parts, options = {}) {
    this.#agent = agent;
    this.#parts = parts;
    this.#options = options;
  }

  /** Whether the card has signed it: only the service's answer is missing. */
  get isSigned() {
    return this.#signed !== null;
  }

  /**
   * @returns {Promise<PartReceipt[]>} in the order of the parts. Rejects with the AgentError or
   *   ServiceError of the step that failed: call it again
   */
  async run() {
    const { progress = () => {} } = this.#options;
    if (this.#receipts !== null) return this.#receipts;
    const signed = (this.#signed ??= await this.#sign());
    progress("complete");
    try {
      const { parts } = await callService("/api/v1/bundles/complete", signed, this.#options);
      this.#receipts = parts;
      progress("done", { count: this.#parts.length });
      return parts;
    } catch (error) {
      if (isOfOneItem(error)) {
        this.#signed = null;
        await abandon([signed.id], this.#options); // so that nothing completes it beside the next
      }
      throw error;
    }
  }

  async #sign() {
    const { progress = () => {}, signal, card, level = "B-T" } = this.#options;
    progress("agent");
    const { version } = await this.#agent.ready({ signal });
    requireVersion(version, TREES_SINCE);
    progress("token");
    const certificate = await signingCertificate(this.#agent, signal, card);
    const parts = this.#parts.map((each) => ({ ...each, document: toBase64(each.document) }));
    progress("prepare");
    const named = parts.map(({ document, recipient }) => ({ document, recipient }));
    const wish = { certificate: certificate.der, level, parts: named };
    const made = await callService("/api/v1/bundles/prepare", wish, this.#options);
    progress("show", { count: parts.length });
    const asked = { certificate: certificate.id, parts, proofs: made.proofs };
    try {
      const { signatureValue } = await this.#agent.signTree(
        { ...asked, toBeSigned: made.to_be_signed },
        { signal },
      );
      return { id: made.id, signature_value: signatureValue };
    } catch (error) {
      await abandon([made.id], this.#options);
      throw error;
    }
  }
}
