// @ts-check
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 *
 * @typedef {import("./portseal-agent-errors.js").AgentState} AgentState
 * @typedef {import("./portseal-agent-messages.js").Certificate} Certificate
 * @typedef {import("./portseal-agent-messages.js").Token} Token
 * @typedef {import("./portseal-agent-messages.js").ToSign} ToSign
 * @typedef {import("./portseal-agent-messages.js").Confirmation} Confirmation
 *
 * @typedef {{signal?: AbortSignal}} CallOptions
 */

import { request, wouldAskUser } from "./portseal-agent-door.js";
import { AgentError, isOlder, tooOld } from "./portseal-agent-errors.js";
import { asCertificate, asItem, asToken, named } from "./portseal-agent-messages.js";

export { AgentError, isOlder, requireVersion } from "./portseal-agent-errors.js";

export const DEFAULT_PORT = 61235;
export const PROTOCOL = 1;

export class PortSealAgent {
  /**
   * @param {{port?: number, minimumVersion?: string}} options `port`: where the agent listens on
   *   loopback; `minimumVersion`: the oldest agent that the page can work with
   */
  constructor({ port = DEFAULT_PORT, minimumVersion = "0" } = {}) {
    this.address = `http://127.0.0.1:${port}`;
    this.minimumVersion = minimumVersion;
  }

  /**
   * The agent as the page's server wants it: `data-agent-port` and `data-agent-minimum`.
   * @param {HTMLElement} element
   */
  static of(element) {
    const { agentPort, agentMinimum } = element.dataset;
    return new PortSealAgent({
      port: agentPort ? Number(agentPort) : DEFAULT_PORT,
      minimumVersion: agentMinimum ?? "0",
    });
  }

  /**
   * Whether asking for the agent now would make the browser ask its user first.
   * @returns {Promise<boolean>}
   */
  static wouldAskUser() {
    return wouldAskUser();
  }

  /**
   * Whether the agent is there and knows this origin. Never rejects, but for an abort.
   * @param {CallOptions} [options]
   * @returns {Promise<{state: AgentState, version: string | null, error: AgentError | null}>}
   */
  async status(options) {
    let told;
    try {
      told = await this.#call("status", {}, options);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { state: error.state, version: null, error };
    }
    const version = String(told.version);
    if (told.protocol !== PROTOCOL || isOlder(version, this.minimumVersion)) {
      return { state: "too-old", version, error: tooOld(version, this.minimumVersion) };
    }
    if (told.origin === "allowed") return { state: "ready", version, error: null };
    const refused = told.origin === "refused";
    const error = refused
      ? new AgentError("origin-refused", "origin.refused", "the user refused this origin")
      : new AgentError("origin-unknown", "origin.unknown", "the user was not asked yet");
    return { state: error.state, version, error };
  }

  /**
   * `status`, and the first-use question where it is needed.
   * @param {CallOptions} [options]
   * @returns {Promise<{version: string}>}
   */
  async ready(options) {
    const seen = await this.status(options);
    if (seen.state === "origin-unknown") await this.connect(options);
    else if (seen.error !== null) throw seen.error;
    return { version: String(seen.version) };
  }

  /**
   * Ask the user, in the agent's window, whether this origin may use the agent.
   * @param {CallOptions} [options]
   * @returns {Promise<{origin: "allowed"}>}
   */
  connect(options) {
    return this.#call("connect", {}, options);
  }

  /**
   * The tokens that are plugged in, with the certificates that this origin may see.
   * @param {CallOptions} [options]
   * @returns {Promise<{tokens: Token[]}>}
   */
  async tokens(options) {
    const { tokens } = await this.#call("tokens", {}, options);
    return { tokens: tokens.map(asToken) };
  }

  /**
   * Make a blank token ready. The user chooses its PIN in the agent's window.
   * @param {{token: string, label: string, recoveryKey?: JsonWebKey}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{token: Token, recovery: string | null}>}
   */
  async initialise({ token, label, recoveryKey }, options) {
    const body = { token, label, recovery_key: recoveryKey ?? null };
    const made = await this.#call("initialise", body, options);
    return { token: asToken(made.token), recovery: made.recovery };
  }

  /**
   * A PKCS#10 request by a key that is on the token, which is made there when needed.
   * @param {{token: string, suite?: string, purpose?: "enrol" | "renew" | "rekey"}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{pkcs10: string, key: string}>}
   */
  makeKey({ token, suite = "ecdsa-p256-sha256", purpose = "enrol" }, options) {
    return this.#call("make_key", { token, suite, purpose }, options);
  }

  /**
   * Write what was issued beside its key. The holder's certificate stands first.
   * @param {{token: string, certificates: string[]}} what base64 of DER
   * @param {CallOptions} [options]
   * @returns {Promise<{certificates: Certificate[]}>}
   */
  async writeCertificates({ token, certificates }, options) {
    const told = await this.#call("write_certificates", { token, certificates }, options);
    return { certificates: told.certificates.map(asCertificate) };
  }

  /**
   * A transport key on the token for an encryption key, with the card's signature for it.
   * @param {{token: string, certificate: string, purpose?: string}} what `certificate`: id of the
   *   signing one; `purpose`: `encryption-key`, or `recovery SERIAL`
   * @param {CallOptions} [options]
   * @returns {Promise<{transportKey: string, signature: string}>} base64
   */
  async makeTransportKey({ token, certificate, purpose = "encryption-key" }, options) {
    const body = { token, certificate, purpose };
    const told = await this.#call("make_transport_key", body, options);
    return { transportKey: told.transport_key, signature: told.signature };
  }

  /**
   * Bring an encryption key that the key centre made onto the token (docs/key-centre.md).
   * @param {{token: string, certificate: string, envelope: string}} what base64
   * @param {CallOptions} [options]
   * @returns {Promise<{certificate: Certificate}>}
   */
  async installEncryptionKey({ token, certificate, envelope }, options) {
    const body = { token, certificate, envelope };
    const told = await this.#call("install_encryption_key", body, options);
    return { certificate: asCertificate(told.certificate) };
  }

  /**
   * An authentication token of the Web eID scheme for this page's origin. With `confirm`, as the
   * service's challenge has it, the agent shows the acts and the card signs them (agents from 1.3).
   * @param {{nonce: string, certificate?: string | null, confirm?: Confirmation | null}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{token: Record<string, string>, certificate: Certificate}>}
   */
  async signIn({ nonce, certificate = null, confirm = null }, options) {
    const body = { nonce, certificate, ...(confirm && { confirm }) };
    const told = await this.#call("sign_in", body, options);
    return { token: told.token, certificate: asCertificate(told.certificate) };
  }

  /**
   * The card's word for the new key on its own token, as `POST /api/v1/renewals/{id}` takes it.
   * @param {{certificate: string, key: string, challenge: string}} what `certificate`: id of the
   *   card's own; `key`: label that `makeKey` told; `challenge`: the service's
   * @param {CallOptions} [options]
   * @returns {Promise<{signature: string}>} base64
   */
  signRenewal({ certificate, key, challenge }, options) {
    return this.#call("sign_renewal", { certificate, key, challenge }, options);
  }

  /**
   * Show a document to the user and sign what the service prepared for it.
   * @param {ToSign & {certificate: string}} what `certificate`: its id
   * @param {CallOptions} [options]
   * @returns {Promise<{signatureValue: string, suite: string}>}
   */
  async sign({ certificate, ...item }, options) {
    const told = await this.#call("sign", { certificate, ...asItem(item) }, options);
    return { signatureValue: told.signature_value, suite: told.suite };
  }

  /**
   * Sign several documents after one question, with one PIN.
   * @param {{certificate: string, items: ToSign[]}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{signatureValues: string[]}>} in the order of the items
   */
  async signBundle({ certificate, items }, options) {
    const body = { certificate, items: items.map(asItem) };
    const told = await this.#call("sign_bundle", body, options);
    return { signatureValues: told.signature_values };
  }

  /**
   * Sign documents for several agencies with one signature over the root of their Merkle tree, as
   * `POST /api/v1/bundles/prepare` gives it; agents since 1.3.0.
   * @param {{certificate: string, proofs: string[], toBeSigned: string,
   *   parts: {document: string, recipient: string, name?: string}[]}} what in one order
   * @param {CallOptions} [options]
   * @returns {Promise<{signatureValue: string, suite: string}>}
   */
  async signTree({ certificate, parts, proofs, toBeSigned }, options) {
    const body = { certificate, parts: parts.map(named), proofs, to_be_signed: toBeSigned };
    const told = await this.#call("sign_tree", body, options);
    return { signatureValue: told.signature_value, suite: told.suite };
  }

  /**
   * Let the user change the PIN, in the agent's window.
   * @param {{token: string}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{}>}
   */
  changePin({ token }, options) {
    return this.#call("change_pin", { token }, options);
  }

  /**
   * Let the user set a new PIN, with the authority's `envelope` and the one-time secret, or with
   * the unblocking code that came with the token.
   * @param {{token: string, envelope?: string, recoveryKey?: JsonWebKey}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{recovery: string | null}>}
   */
  unlock({ token, envelope, recoveryKey }, options) {
    const body = { token, envelope: envelope ?? null, recovery_key: recoveryKey ?? null };
    return this.#call("unlock", body, options);
  }

  /**
   * Whether this agent can tell this page's service that the USB key is plugged in. Not an agent
   * that is older than this, nor one that does not reach the service.
   * @param {CallOptions} [options]
   * @returns {Promise<boolean>}
   */
  async canWatch(options) {
    try {
      return (await this.#call("can_watch", {}, options)).can_watch === true;
    } catch (error) {
      if (error instanceof AgentError && error.code === "method.unknown") return false;
      throw error;
    }
  }

  /**
   * Let the session end when the USB key is pulled. The secret is the service's, for this session.
   * @param {{certificate: string, secret: string, everySeconds: number}} what `certificate`: id of
   *   the one that signed in
   * @param {CallOptions} [options]
   * @returns {Promise<{}>}
   */
  watch({ certificate, secret, everySeconds }, options) {
    return this.#call("watch", { certificate, secret, every_seconds: everySeconds }, options);
  }

  /**
   * @param {string} method
   * @param {object} body
   * @param {CallOptions} options
   * @returns {Promise<any>}
   */
  #call(method, body, { signal } = {}) {
    return request(this.address, method, body, signal);
  }
}
